"""The scheduled auto-scaler, a Lambda function: takes the first advice about shards, if it may (``CLICKSTREAM_AUTOSCALE``).

One change per run: the next run, a minute later, looks at what it did. Workers are scaled by their service, on the lag that
they report; what this function says about them is for its log.
"""

import json
import sys
from typing import Any

from clickstream.aws import Clients
from clickstream.operating import advice
from clickstream.operating.observing import look
from clickstream.operating.resharding import described
from clickstream.records.kinesis import take
from clickstream.settings import from_env


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001  # Lambda passes both
    """Answers ``{"advice": [...], "applied": what was done or null}``. Raises RetryLater, which the schedule does."""
    settings = from_env()
    clients = Clients(settings, attempts=2)
    found = advice.advise(look(clients, settings))
    documents = [advice.document(each) for each in found]
    for each in documents:
        sys.stdout.write(json.dumps(each) + "\n")
    step = next((each.step for each in found if each.step is not None), None)
    if step is None or not settings.autoscale:
        return {"advice": documents, "applied": None}
    # one attempt: a split whose answer was lost must not be asked for again by itself
    take(Clients(settings, attempts=1).kinesis, settings.stream, step)
    return {"advice": documents, "applied": described(step)}

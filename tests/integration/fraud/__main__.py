"""``python -m tests.integration.fraud``: all rows of the handbook through the real pipeline, killed and split on the way.

It runs on an embedded AWS of its own. One JSON object on stdout; exit code 0 only if every feature of every row equals the
published one to 1e-6.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

from clickstream.infra.local import stack
from clickstream.models.fraud.offline.handbook import CUSTOMER, TERMINAL
from clickstream.settings import from_env
from tests import handbook_files
from tests.integration.fraud import handbook_stream
from tests.integration.fraud.handbook_run import Run


def main() -> int:
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", file=sys.stderr, flush=True)  # noqa: T201  progress

    source = from_env().datasets / handbook_files.FOLDER
    rows = handbook_files.transactions(source)
    events = [event for row in rows for event in handbook_stream.events_of(row)]
    say(f"{len(rows):,} transactions as {len(events):,} events")
    with tempfile.TemporaryDirectory() as scratch, stack.local_aws(Path(scratch) / "aws") as running:
        folder = Path(scratch)
        settings = msgspec.structs.replace(running.settings, name="handbook", local_dir=folder)
        run = Run(settings, folder, shards=4, deadline_s=1200.0)
        run.through(events, say)
        found = handbook_stream.read(run.computed)
    say("comparing")
    differences = {}
    for key, ours, names in (("customer", found.customers, CUSTOMER.names), ("terminal", found.terminals, TERMINAL.names)):
        published = handbook_files.published(source, names)
        if ours.keys() != published.keys():
            say(f"by {key}: {len(published.keys() ^ ours.keys()):,} rows are missing or strange")
            return 1
        difference = np.abs(np.array([ours[row] for row in published]) - np.array(list(published.values())))
        differences[key] = float(difference.max())
    print(  # noqa: T201  the result
        json.dumps(
            {
                "rows": len(rows),
                "values": len(rows) * (len(CUSTOMER.names) + len(TERMINAL.names)),
                "greatest_difference": differences,
                "computed_again_the_same": found.repeated,
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )
    return int(max(differences.values()) > handbook_files.TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())

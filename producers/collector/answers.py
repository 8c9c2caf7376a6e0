"""What a client is told: one answer an event, in the request's order, and the status that sums them up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from producers.collector.reception import Problem

#: Seconds after which a client should try again when the stream does not take events.
RETRY_AFTER_S = 2

_REPEAT = (
    "the stream does not take every event now: send the events marked retry again, under the event_id given here. "
    "Repeating accepted ones under theirs does no harm: an event_id counts once"
)


class EventAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """``accepted``: Kinesis has it. ``rejected``: it never will, see ``errors``. ``retry``: it may have it or not."""

    event_id: str | None
    status: Literal["accepted", "rejected", "retry"]
    errors: tuple[Problem, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """The body of an answer to POST /v1/events."""

    accepted: int
    rejected: int
    retry: int
    events: Sequence[EventAnswer]
    message: str = ""


def sum_up(events: Sequence[EventAnswer]) -> tuple[int, Answer]:
    """The status and the body.

    503 when any event is to be repeated, whatever became of the others: a client that only reads the status then repeats the
    request, which is safe. Else 200 when all are accepted, 422 when none is, 207 for some of both.
    """
    counts = {"accepted": 0, "rejected": 0, "retry": 0}
    for event in events:
        counts[event.status] += 1
    answer = Answer(**counts, events=events, message=_REPEAT if counts["retry"] else "")
    if counts["retry"]:
        return 503, answer
    if not counts["rejected"]:
        return 200, answer
    return (207 if counts["accepted"] else 422), answer

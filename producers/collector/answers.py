"""What a client is told: one answer an event, in the request's order, and the status that sums them up.

A request that goes no further is refused as a whole, before any event of it is looked at.
"""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from clickstream.errors import ClickstreamError, Rejected
from clickstream.producers.collector.delivery import Fate
from clickstream.producers.door import Assigned

#: Seconds after which a client should try again when the stream does not take events.
RETRY_AFTER_S = 2

_REPEAT = (
    "the stream does not take every event now: send the events marked retry again, under the event_id given here. "
    "Repeating accepted ones under theirs does no harm: an event_id counts once"
)


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and where (``$.items[0].price``)."""

    path: str
    reason: str


class EventAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """``accepted``: Kinesis has it. ``rejected``: it never will, see ``errors``. ``retry``: it may have it or not."""

    event_id: str | None
    status: Literal["accepted", "rejected", "retry"]
    errors: tuple[Problem, ...] = ()
    not_kept: Annotated[tuple[str, ...], Meta(description="paths of properties that no type declares; the rest is taken")] = ()
    assigned: Annotated[Assigned, Meta(description="what was left out; without event_id it counts again when repeated")] = {}


def rejected(error: Rejected, event_id: str | None = None) -> EventAnswer:
    return EventAnswer(event_id, "rejected", (Problem(error.path, error.reason),))


class Answer(msgspec.Struct, frozen=True):
    """The body of an answer to POST /v1/events."""

    accepted: int
    rejected: int
    retry: int
    events: Sequence[EventAnswer]
    message: str = ""


def answer_each(received: Iterable[EventAnswer], fates: Iterable[Fate]) -> list[EventAnswer]:
    """``received``: ``retry`` for the events that were taken, which becomes what the ``fates`` say, in the same order."""
    told = iter(fates)
    return [_told(each, next(told)) if each.status == "retry" else each for each in received]


def _told(taken: EventAnswer, fate: Fate) -> EventAnswer:
    if isinstance(fate, Rejected):
        return rejected(fate, taken.event_id)
    return taken if fate == "retry" else msgspec.structs.replace(taken, status="accepted")


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


class Refused(ClickstreamError):
    """A request that goes no further: an HTTP status, a line for the developer who sent it, and a hint."""

    def __init__(self, status: int, message: str, hint: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.hint = hint
        self.headers = {} if retry_after is None else {"Retry-After": str(max(1, ceil(retry_after)))}
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"


def busy() -> Refused:
    return Refused(503, "too much is on its way already; nothing of this request was taken", retry_after=RETRY_AFTER_S)

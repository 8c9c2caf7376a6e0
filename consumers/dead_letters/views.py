"""The read model: the letters that wait, looked at without taking any: each stays as visible to others as it was."""

import time
from collections.abc import Iterator
from typing import Literal

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.dead_letters.letters import Received, queue_url
from clickstream.consumers.runtime.faults.dead_letters import DeadLetter, decoded, without_values
from clickstream.failures.outages import translated
from clickstream.settings import Settings

Kind = Literal["record", "effect", "bug"]
#: A look ends after so many letters, after so long (s), or when so many receives in a row have brought nothing new: what is
#: not taken is received again.
MOST = 1_000
_WITHIN_S = 5.0
_MOST_IDLE = 5


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """Where a letter is from, and why: no event, refused by a store, or the end of a process. What was sent is not told."""

    id: str
    application: str
    shard: str
    arrived_at: int
    kind: Kind
    reason: str
    path: str
    event_id: str | None


class Look(msgspec.Struct, frozen=True):
    """About so many letters can be seen, and a reader has so many in its hands; the latest of those seen come first."""

    visible: int
    hidden: int
    letters: list[Letter]


def look(clients: Clients, settings: Settings) -> Look:
    """Raises Missing when there is no queue, RetryLater when SQS does not answer."""
    url = queue_url(clients, settings)
    with translated("SQS"):
        told = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    seen: dict[str, Letter] = {}
    idle, until = 0, time.monotonic() + _WITHIN_S
    while len(seen) < MOST and idle < _MOST_IDLE and time.monotonic() < until and (some := list(_some(clients, url))):
        before = len(seen)
        seen |= {each.id: each for each in some}
        idle = 0 if len(seen) > before else idle + 1
    latest = sorted(seen.values(), key=lambda each: (each.arrived_at, each.id), reverse=True)
    return Look(int(told["ApproximateNumberOfMessages"]), int(told["ApproximateNumberOfMessagesNotVisible"]), latest)


def _some(clients: Clients, url: str) -> Iterator[Letter]:
    with translated("SQS"):
        # a long poll asks all of SQS's servers: an empty answer is the end
        answer = clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=1)
    return (_told(decoded(message["Body"])) for message in answer.get("Messages", []))


def _told(letter: DeadLetter) -> Letter:
    same = {name: getattr(letter, name) for name in ("application", "shard", "path", "event_id")}
    reason = without_values(letter.reason)
    kind: Kind = "bug" if letter.traceback is not None else "record" if letter.effect is None else "effect"
    return Letter(id=Received(letter, ()).id, arrived_at=letter.arrived_ms, kind=kind, reason=reason, **same)

"""The read model: the letters that wait, looked at without taking any: each stays as visible to others as it was."""

import hashlib
import time
from collections.abc import Iterator

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.dead_letters.letters import Received, queue_url
from clickstream.consumers.runtime.faults.dead_letters import decoded, without_values
from clickstream.failures.outages import translated
from clickstream.settings import Settings

#: A look ends after so many letters, after so long (s), or when so many receives in a row have brought nothing new: what is
#: not taken is received again.
MOST = 1_000
_WITHIN_S = 5.0
_MOST_IDLE = 5


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """Where a letter is from, and why. What the client sent is not told: `clickstream dlq show` does."""

    id: str
    application: str
    shard: str
    arrived_at: int
    kind: str
    """record: it is no event; effect: a store refused it; bug: it ended the process."""
    reason: str
    """Without the client's values that it quotes."""
    path: str
    event_id: str | None

    @property
    def cause(self) -> str:
        """Names kind, reason and path."""
        return hashlib.sha256("\0".join((self.kind, self.reason, self.path)).encode()).hexdigest()[:12]


class Look(msgspec.Struct, frozen=True):
    """The latest letters come first; of a queue with more than ``MOST`` they are a sample, and SQS counts about."""

    letters: list[Letter]
    visible: int
    hidden: int
    """In the hands of a reader, such as a redrive."""


def look(clients: Clients, settings: Settings) -> Look:
    """Raises Missing when there is no queue, RetryLater when SQS does not answer."""
    url = queue_url(clients, settings)
    with translated("SQS"):
        told = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    visible, hidden = int(told["ApproximateNumberOfMessages"]), int(told["ApproximateNumberOfMessagesNotVisible"])
    seen: dict[str, Letter] = {}
    idle, until = 0, time.monotonic() + _WITHIN_S
    while len(seen) < MOST and idle < _MOST_IDLE and time.monotonic() < until and (some := list(_some(clients, url))):
        before = len(seen)
        seen |= {each.id: each for each in some}
        idle = 0 if len(seen) > before else idle + 1
    return Look(sorted(seen.values(), key=lambda each: (each.arrived_at, each.id), reverse=True), visible, hidden)


def _some(clients: Clients, url: str) -> Iterator[Letter]:
    with translated("SQS"):
        # a long poll asks all of SQS's servers: an empty answer is the end
        answer = clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=1)
    for each in (decoded(message["Body"]) for message in answer.get("Messages", [])):
        yield Letter(
            id=Received(each, ()).id,
            application=each.application,
            shard=each.shard,
            arrived_at=each.arrived_ms,
            kind="bug" if each.traceback is not None else "record" if each.effect is None else "effect",
            reason=without_values(each.reason),
            path=each.path,
            event_id=each.event_id,
        )

"""Records that will never be events: kept whole, with where they were and why, before the shard's position passes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import msgspec

from clickstream.aws import Clients
from clickstream.errors import RetryLater, TooManyDeadLetters
from clickstream.settings import Settings
from consumers.runtime.outages import translated
from consumers.runtime.position import Position

#: SQS takes 256 KiB per message and per batch of at most ten; a larger record's bytes go to S3, and the message names them.
_MESSAGE_BYTES = 240_000
_BATCH = 10


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One rejected record; the body of its SQS message as JSON (``data`` in base64)."""

    application: str
    shard: str
    position: str
    sequence_number: str
    sub_sequence_number: int
    partition_key: str
    arrived_ms: int
    reason: str
    path: str
    event_id: str | None
    data: bytes
    data_s3_key: str | None = None
    """Where the bytes are, when they are too many for a message; ``data`` is empty then."""
    code_version: str = version("clickstream")


class DeadLetterLimit(msgspec.Struct, frozen=True, kw_only=True):
    """When so many records are rejected that the fault is probably ours, a worker stops instead of draining the stream."""

    consecutive: int = 1_000
    ratio: float = 0.2
    of_at_least: int = 5_000
    """The ratio is judged over at least this many records, so that a few bad ones at the start stop nothing."""


class DeadLetterCount:
    """Rejected records against all records of the recent past, for one shard."""

    def __init__(self, limit: DeadLetterLimit) -> None:
        self._limit = limit
        self._in_a_row = 0
        self._rejected = 0
        self._all = 0

    def add(self, records: int, rejected: Sequence[bool]) -> None:
        """Count a batch; ``rejected`` says it per record in shard order, and is empty when none was.

        Raises TooManyDeadLetters when a limit is passed.
        """
        if not rejected and records:
            self._in_a_row = 0
        for one in rejected:
            self._in_a_row = self._in_a_row + 1 if one else 0
            if self._in_a_row >= self._limit.consecutive:
                raise TooManyDeadLetters(f"{self._in_a_row} records in a row were rejected")
        self._rejected += sum(rejected)
        self._all += records
        if self._all < self._limit.of_at_least:
            return
        if self._rejected > self._limit.ratio * self._all:
            raise TooManyDeadLetters(f"{self._rejected} of the last {self._all} records were rejected")
        self._rejected = self._all = 0


class DeadLetterQueue:
    """The SQS queue. A repeated send (a crash came before the commit) has the same ``position``: readers tell by that."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._sqs = clients.sqs
        self._s3 = clients.s3
        self._queue = settings.dead_letter_queue
        self._bucket = settings.state_bucket
        self._url: str | None = None

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """All of them, or RetryLater; nothing may go on before."""
        for batch in _batches([self._body(letter) for letter in letters]):
            with translated("SQS"):
                if self._url is None:
                    self._url = self._sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]
                answer = self._sqs.send_message_batch(
                    QueueUrl=self._url, Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(batch)]
                )
            if failed := answer.get("Failed"):
                raise RetryLater(
                    f"SQS: {len(failed)} of {len(batch)} dead letters were not taken: {failed[0].get('Message', '')}"
                )

    def _body(self, letter: DeadLetter) -> str:
        if len(letter.data) * 4 // 3 > _MESSAGE_BYTES - 8_192:
            key = f"dead-letters/{letter.application}/{letter.shard}/{letter.position}"
            with translated("S3"):
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=letter.data)
            letter = msgspec.structs.replace(letter, data=b"", data_s3_key=key)
        return msgspec.json.encode(letter).decode()


def _batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for body in bodies:
        body_size = len(body.encode())
        if batch and (len(batch) == _BATCH or size + body_size > _MESSAGE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += body_size
    if batch:
        yield batch


def dead_letter(
    *,
    application: str,
    shard: str,
    position: Position,
    partition_key: str,
    arrived_ms: int,
    reason: str,
    path: str,
    data: bytes,
) -> DeadLetter:
    """A letter from a rejected record; the event id is taken from the bytes where they still are JSON."""
    return DeadLetter(
        application=application,
        shard=shard,
        position=str(position),
        sequence_number=str(position.sequence),
        sub_sequence_number=position.sub,
        partition_key=partition_key,
        arrived_ms=arrived_ms,
        reason=reason,
        path=path,
        event_id=_event_id(data),
        data=data,
    )


class _OnlyId(msgspec.Struct):
    event_id: str | None = None


def _event_id(data: bytes) -> str | None:
    try:
        return msgspec.json.decode(data, type=_OnlyId).event_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decoded(body: str) -> DeadLetter:
    """The inverse of a message's body."""
    return msgspec.json.decode(body, type=DeadLetter)

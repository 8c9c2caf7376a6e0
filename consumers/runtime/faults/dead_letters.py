"""Records that will never be events, and effects that no store takes: kept, with where they were and why, before the shard's
position passes them.

SQS must take every letter, whatever a client has sent: each field has a bound, and the body is ASCII.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Protocol

import msgspec
import structlog
from botocore.exceptions import ClientError

from clickstream.aws import Clients
from clickstream.consumers.runtime.faults.patience import Patience
from clickstream.errors import RetryLater
from clickstream.failures.outages import translated
from clickstream.failures.refusals import as_error
from clickstream.platform import DEAD_LETTERS, STATE
from clickstream.records.position import Position
from clickstream.settings import Settings

#: SQS takes 256 KiB per message and per batch of at most ten; a larger record's bytes go to S3, and the message names them.
_MESSAGE_BYTES = 240_000
_BATCH = 10
#: UTF-16 units of a letter's fields; each may take six bytes of JSON.
_MOST_KEY, _MOST_PATH, _MOST_REASON, _MOST_EFFECT = 256, 256, 500, 20_000
#: What a message of msgspec's quotes from the input.
_QUOTED = re.compile(r"'.*'", re.DOTALL)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One rejected record, or one effect that a store refused; the body of its SQS message as JSON (``data`` in base64)."""

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
    effect: str | None = None
    """The effect as JSON, cut off where it is too long. Its record was folded: ``data`` is empty, and ``position`` is that of
    the write; a replay may send the letter again under another."""
    traceback: str | None = None
    """Where a bug of ours ended the process three times: the record or the effect was set aside."""
    code_version: str = version("clickstream")


class DeadLetters(Protocol):
    """Where letters go: the queue, or a test's list."""

    def send(self, letters: Sequence[DeadLetter]) -> None: ...


class Letters:
    """One shard's: nothing of it goes on before they lie in the queue, however long that takes."""

    def __init__(self, queue: DeadLetters, patience: Patience, *, application: str, shard: str) -> None:
        self._queue = queue
        self.patience = patience
        self.application = application
        self._shard = shard
        self.log = structlog.get_logger().bind(application=application, shard=shard)

    def send(self, contents: Sequence[Mapping[str, Any]]) -> list[DeadLetter]:
        """Each with the arguments of ``dead_letter`` but for the place."""
        letters = [dead_letter(application=self.application, shard=self._shard, **content) for content in contents]
        self.patience.call(lambda: self._queue.send(letters))
        return letters


class DeadLetterQueue:
    """The SQS queue. A repeated send (a crash came before the commit) has the same ``position``: readers tell by that."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._sqs = clients.sqs
        self._s3 = clients.s3
        self._queue = DEAD_LETTERS.of(settings)
        self._bucket = STATE.of(settings)
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
                first = failed[0]
                code, message = first["Code"], first.get("Message", "")
                refusal = ClientError({"Error": {"Code": code, "Message": message}}, "SendMessage")
                raise as_error("SQS", refusal) or RetryLater(f"SQS: {code}: {message}")

    def _body(self, letter: DeadLetter) -> str:
        if len(letter.data) * 4 // 3 > _MESSAGE_BYTES - 8_192:
            key = f"dead-letters/{letter.application}/{letter.shard}/{letter.position}"
            with translated("S3"):
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=letter.data)
            letter = msgspec.structs.replace(letter, data=b"", data_s3_key=key)
        return json.dumps(msgspec.to_builtins(letter), separators=(",", ":"))


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
    arrived_ms: int,
    reason: str,
    path: str = "$",
    partition_key: str = "",
    data: bytes = b"",
    effect: Any = None,
    traceback: str | None = None,
) -> DeadLetter:
    """A letter from a rejected record (``data``), whose event id is taken from the bytes where they still are JSON; or from an
    effect that will never be written, which stands for a record that was folded."""
    return DeadLetter(
        application=application,
        shard=shard,
        position=str(position),
        sequence_number=str(position.sequence),
        sub_sequence_number=position.sub,
        partition_key=_bounded(partition_key, _MOST_KEY),
        arrived_ms=arrived_ms,
        reason=_bounded(reason, _MOST_REASON),
        path=_bounded(path, _MOST_PATH),
        event_id=_key(event_id_in(data) if effect is None else getattr(effect, "event_id", None)),
        data=data,
        effect=None if effect is None else _bounded(_as_json(effect), _MOST_EFFECT),
        traceback=None if traceback is None else _bounded(traceback, _MOST_EFFECT),
    )


def _as_json(effect: Any) -> str:
    try:
        return msgspec.json.encode(effect, enc_hook=repr).decode()
    except (TypeError, ValueError, RecursionError):
        return repr(effect)


def without_values(reason: str) -> str:
    """A reason as it may stand in a log: msgspec's messages quote what a client has sent."""
    return _QUOTED.sub("'…'", _bounded(reason, _MOST_REASON))


def _bounded(text: str, most: int) -> str:
    """Cut off after so many UTF-16 units, each of which JSON may escape; without lone surrogates, which are no text."""
    kept = text.encode(errors="replace").decode()
    units = kept.encode("utf-16-le")
    return kept if len(units) <= 2 * most else units[: 2 * (most - 1)].decode("utf-16-le", errors="ignore") + "…"


def _key(event_id: object) -> str | None:
    """An id that can be one: whoever asks for a letter by a part of an id would not get it."""
    return event_id if isinstance(event_id, str) and event_id == _bounded(event_id, _MOST_KEY) else None


class _OnlyId(msgspec.Struct):
    event_id: str | None = None


def event_id_in(data: bytes) -> str | None:
    """The id in bytes that need be no event; None when they are no such JSON."""
    try:
        return msgspec.json.decode(data, type=_OnlyId).event_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decoded(body: str) -> DeadLetter:
    """The inverse of a message's body."""
    return msgspec.json.decode(body, type=DeadLetter)

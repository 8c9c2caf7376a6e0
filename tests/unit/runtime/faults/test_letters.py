"""SQS takes every letter, whatever its record or its effect was."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
import structlog
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clickstream.consumers.runtime.faults.dead_letters import DeadLetterQueue, dead_letter, decoded, without_values
from clickstream.consumers.runtime.loop.decoding import decode
from clickstream.consumers.runtime.loop.opening import opened
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.errors import Forbidden, Unwritable
from clickstream.load.simulation.applications.counting import CountingApplication, CountingFold
from clickstream.load.simulation.aws.memory import MemoryDeadLetters, MemoryRows, MemoryStore
from clickstream.load.simulation.fleet.shard_process import RecordingCheckpointer, deliver, record, shard_loop
from clickstream.records.position import Position
from clickstream.records.routing import WHOLE_SPACE
from clickstream.settings import Settings

#: What SQS documents: 256 KiB for a message and for a batch; #x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD | #x10000-#x10FFFF.
MOST_BYTES = 262_144
ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Sqs:
    """SQS's documented bounds, and S3 for the bytes."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.failed: list[dict[str, Any]] = []
        self.sqs = self.s3 = self

    def get_queue_url(self, **_: Any) -> dict[str, str]:
        return {"QueueUrl": "url"}

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        bodies = [entry["MessageBody"] for entry in Entries]
        assert 1 <= len(bodies) <= 10
        assert sum(len(body.encode()) for body in bodies) <= MOST_BYTES
        assert not any(ILLEGAL.search(body) for body in bodies)
        self.bodies += bodies
        return {"Failed": self.failed}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        assert len(Key.encode()) <= 1024
        self.objects[Key] = Body


def _queue(sqs: Any) -> DeadLetterQueue:
    return DeadLetterQueue(sqs, Settings(name="t", credentials=("a", "b")))


def _record(data: bytes, sequence: int = 10, key: str = "u") -> Record:
    return Record(data, key, str(sequence), 0, 1_000_000_000_000)


def _rejected(data: bytes) -> Any:
    """The letter that the shard loop makes of a record."""
    letters = MemoryDeadLetters()
    loop = shard_loop(CountingApplication(MemoryRows()), (_only(),), MemoryStore("w"), dead_letters=letters)
    loop.initialize("shardId-0", "TRIM_HORIZON", 0)
    deliver(loop, RecordingCheckpointer(), record(data, 10, key="u"))
    return letters.letters


def _only() -> Any:
    from clickstream.records.routing import Shard

    return Shard(shard_id="shardId-0", hash_range=WHOLE_SPACE)


HUGE = [
    b'{"type":"login","event_id":"' + b"x" * 900_000 + b'"}',
    b'{"type":"' + b"t" * 300_000 + b'"}',
    b'{"type":"' + "\ufffe\uffff\u0001".encode().replace(b"\x01", b"\\u0001") * 30_000 + b'"}',
    b'{"event_id":"\\ud800","type":"login"}',
    b'{"type":"\\udfff","event_id":"e"}',
    b"\xff" * 900_000,
    b'{"' + b"k" * 300_000 + b'":1,"type":"login"}',
]


@pytest.mark.parametrize("data", HUGE, ids=range(len(HUGE)))
def test_a_record_of_any_size_and_text_makes_a_letter_that_is_taken(data: bytes) -> None:
    sqs = Sqs()
    letters = _rejected(data)
    _queue(sqs).send(letters)
    [letter] = [decoded(body) for body in sqs.bodies]
    kept = letter.data if letter.data_s3_key is None else sqs.objects[letter.data_s3_key]
    assert kept == data
    assert len(letter.reason) <= 500
    assert letter.event_id is None or len(letter.event_id) <= 256


class Effect(msgspec.Struct):
    event_id: Any
    items: Any


@settings(max_examples=100, deadline=None)
@example(event_id=None, items=["\x7f\U00010000"], times=5_000, reason="\x1f\U00010000" * 4, data=b"")
@given(
    event_id=st.text(st.characters(), max_size=400) | st.none() | st.integers(),
    items=st.lists(st.text(st.characters(), max_size=50), max_size=20),
    times=st.integers(1, 5_000),
    reason=st.text(st.characters(), max_size=2_000),
    data=st.binary(max_size=300),
)
def test_any_letter_is_taken_and_can_be_read(event_id: object, items: list[str], times: int, reason: str, data: bytes) -> None:
    sqs = Sqs()
    place: dict[str, Any] = {"application": "fraud", "shard": "shardId-000000000001", "position": Position(10**56, 65_535)}
    effect = dead_letter(**place, effect=Effect(event_id, items * times), arrived_ms=1, reason=reason, traceback=reason * times)
    rejected = dead_letter(
        **place,
        partition_key=reason,
        arrived_ms=1,
        reason=reason * times,
        path=reason * times,
        data=data * times,
        traceback=reason,
    )
    _queue(sqs).send([effect] * 12 + [rejected] * 12)
    assert len(sqs.bodies) == 24
    for body in sqs.bodies:
        decoded(body)


def test_an_effect_is_kept_as_json() -> None:
    letter = dead_letter(
        application="orders",
        shard="s",
        position=Position(1),
        arrived_ms=5,
        reason="DynamoDB: too large",
        effect=Effect("e1", ["a"]),
    )
    assert json.loads(letter.effect or "") == {"event_id": "e1", "items": ["a"]}
    assert (letter.event_id, letter.arrived_ms, letter.data) == ("e1", 5, b"")


def test_the_log_has_no_value_of_a_clients() -> None:
    assert without_values("Invalid value 'my secret's name'") == "Invalid value '…'"
    with structlog.testing.capture_logs() as logs:
        _rejected(b'{"type":"my secret"}')
    assert "my secret" not in repr(logs)
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["dead letters"]


def test_a_letter_that_is_refused_for_a_permission_is_waited_for_by_name() -> None:
    sqs = Sqs()
    sqs.failed = [{"Id": "0", "SenderFault": True, "Code": "KMS.AccessDeniedException", "Message": "no"}]
    with pytest.raises(Forbidden):
        _queue(sqs).send(_rejected(b"x"))
    sqs.failed = [{"Id": "0", "SenderFault": True, "Code": "InvalidMessageContents", "Message": "no"}]
    with pytest.raises(Unwritable):
        _queue(sqs).send(_rejected(b"x"))


DEEP = ("[" * 3_000 + "]" * 3_000, '{"a":' * 3_000 + "1" + "}" * 3_000)
NUMBERS = ("1e999", "-1", "9" * 400, "1" + "0" * 5_000, "NaN", "0", "1", "1000000000000")
TEXTS = ('"login"', '"purchase"', '"u"', '"\\ud800"', '"\\u0000"', "null", "{}")
NAMES = ("type", "event_id", "user_id", "session_id", "occurred_at", "items", "context", "schema_version", "amount", "currency")
NESTED = st.builds(
    lambda depth, one, other: (one * depth + other * depth).encode(),
    st.integers(1, 5_000),
    *[st.sampled_from(["[", "]", '{"a":', "}"])] * 2,
)
FIELDS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([*DEEP, *NUMBERS, *TEXTS]), max_size=9).map(
    lambda fields: ("{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}").encode()
)
BYTES = st.one_of(
    st.binary(max_size=200),
    NESTED,
    FIELDS,
    FIELDS.map(lambda data: b"\xef\xbb\xbf" + data),
    FIELDS.map(lambda data: data + b"\x00"),
)


def test_a_nested_value_that_an_upcast_writes_out_is_a_rejection() -> None:
    for depth in range(500, 1_000):  # which of them exceeds the recursion limit depends on the caller
        nested = "[" * depth + "]" * depth
        data = f'{{"type":"purchase","schema_version":1,"amount":"1.2","items":[],"currency":{nested}}}'.encode()
        assert len(decode(opened([_record(data)])).rejections) == 1


@settings(max_examples=300, deadline=None)
@given(st.lists(BYTES, min_size=1, max_size=5))
def test_no_bytes_can_end_the_reader(batch: list[bytes]) -> None:
    records = [_record(data, 10 + n) for n, data in enumerate(batch)]
    found = decode(opened(records))
    heard_of = len(found.events) + len(found.rejections)
    assert heard_of >= len(batch), "of each record at least one event or letter; of one with line breaks, several"
    state = ShardState("counting", CountingFold(), WHOLE_SPACE)
    applied = state.apply(list(opened(records)))
    assert len(applied.events) + len(applied.rejections) == heard_of
    state.snapshot()

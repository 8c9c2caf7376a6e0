"""The two encodings, and the event-stream framing read back by botocore's parser."""

from __future__ import annotations

import json
from typing import Any

import cbor2
import pytest
from botocore.eventstream import EventStreamBuffer, EventStreamMessage

from clickstream.infra.local.kinesis.http import eventstream
from clickstream.infra.local.kinesis.http.parameters import Parameters
from clickstream.infra.local.kinesis.http.wire import CBOR, JSON, CborWire, JsonWire, Timestamp, wire_for
from clickstream.infra.local.kinesis.model.errors import InvalidArgumentException, SerializationException
from clickstream.infra.local.kinesis.model.records import PutEntry


def test_times_are_seconds_in_json_and_tagged_milliseconds_in_cbor() -> None:
    assert JsonWire().encode({"At": Timestamp(1_795_521_600_123)}) == b'{"At":1795521600.123}'
    # what the Java SDK writes and reads: A1 (map of 1) 62 "At", C1 (tag 1), 1B (64-bit integer) of milliseconds
    assert CborWire().encode({"At": Timestamp(1_795_521_600_123)}).hex() == "a1624174c11b" + f"{1_795_521_600_123:016x}"


def test_reads_times_of_both() -> None:
    body = bytes.fromhex("a1624174c11b" + f"{1_795_521_600_123:016x}")
    members = CborWire().decode(body, dict[str, Any])
    assert Parameters(members, CborWire()).time_ms("At") == 1_795_521_600_123
    assert Parameters({"At": 1_795_521_600.123}, JsonWire()).time_ms("At") == 1_795_521_600_123
    assert Parameters({}, JsonWire()).time_ms("At") is None


def test_binary_data_is_base64_in_json_and_bytes_in_cbor() -> None:
    entry = PutEntry("k", b"\x00\xff")
    assert JsonWire().decode(b'{"PartitionKey":"k","Data":"AP8="}', PutEntry) == entry
    assert CborWire().decode(cbor2.dumps({"PartitionKey": "k", "Data": b"\x00\xff"}), PutEntry) == entry
    assert JsonWire().encode({"Data": b"\x00\xff"}) == b'{"Data":"AP8="}'
    assert cbor2.loads(CborWire().encode({"Data": b"\x00\xff"})) == {"Data": b"\x00\xff"}


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"Data":1}', b'{"Data":"not base64!"}', b"\xff", b'{"PartitionKey":"\\ud800"}']
)
def test_unreadable_json_is_a_serialization_error(body: bytes) -> None:
    with pytest.raises(SerializationException):
        JsonWire().decode(body, PutEntry)


@pytest.mark.parametrize("body", [b"\xff", b"\xa1\x61", cbor2.dumps([1]), cbor2.dumps({"PartitionKey": 1})])
def test_unreadable_cbor_is_a_serialization_error(body: bytes) -> None:
    with pytest.raises(SerializationException):
        CborWire().decode(body, PutEntry)


@pytest.mark.parametrize(
    ("name", "value"), [("text", 1), ("integer", "1"), ("integer", True), ("texts", "a"), ("time_ms", "x")]
)
def test_a_member_of_the_wrong_type_is_a_serialization_error(name: str, value: object) -> None:
    with pytest.raises(SerializationException):
        getattr(Parameters({"X": value}, JsonWire()), name)("X")


def test_a_stream_is_named_by_name_or_arn_or_both_if_they_agree() -> None:
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
    assert Parameters({"StreamName": "clicks"}, JsonWire()).stream() == "clicks"
    assert Parameters({"StreamName": "clicks", "StreamARN": arn}, JsonWire()).stream() == arn
    with pytest.raises(InvalidArgumentException):
        Parameters({"StreamName": "other", "StreamARN": arn}, JsonWire()).stream()


def test_the_content_type_chooses_the_encoding() -> None:
    json_wire, cbor_wire = wire_for(JSON), wire_for(CBOR)
    assert json_wire is not None
    assert json_wire.content_type == JSON
    assert cbor_wire is not None
    assert cbor_wire.content_type == CBOR
    assert wire_for("text/plain") is None


def test_event_stream_frames_are_read_by_another_implementation() -> None:
    payload = json.dumps({"Records": ["é" * 1000]}).encode()
    buffer = EventStreamBuffer()
    buffer.add_data(eventstream.event("SubscribeToShardEvent", JSON, payload))
    buffer.add_data(eventstream.exception("ResourceNotFoundException", JSON, b"{}"))
    first, second = list[EventStreamMessage](buffer)  # checks lengths and both CRCs
    assert first.payload == payload
    # botocore-stubs take the headers for an int
    headers: list[Any] = [message.headers for message in (first, second)]
    assert headers[0] == {":event-type": "SubscribeToShardEvent", ":content-type": JSON, ":message-type": "event"}
    assert headers[1][":exception-type"] == "ResourceNotFoundException"

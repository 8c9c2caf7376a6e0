"""The protocol over real pipes, byte for byte as the MultiLangDaemon speaks it."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from clickstream.consumers.runtime.loop.wire import (
    CHUNK_BYTES,
    Checkpointer,
    CheckpointFailed,
    Lines,
    ProcessRecords,
    ProtocolError,
    Wire,
    serve,
)


class Daemon:
    """The Java side: writes requests into one pipe, reads answers from the other."""

    def __init__(self) -> None:
        self.child_reads, self._write = os.pipe()
        self._read, self.child_writes = os.pipe()

    def say(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            os.write(self._write, json.dumps(message).encode() + b"\n")

    def say_raw(self, data: bytes) -> None:
        os.write(self._write, data)

    def hang_up(self) -> None:
        os.close(self._write)

    def heard(self) -> list[dict[str, Any]]:
        os.close(self.child_writes)
        with os.fdopen(self._read, "rb") as answers:
            return [json.loads(line) for line in answers if line.strip()]


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


class Recorder:
    """A processor that notes its calls and may checkpoint."""

    def __init__(self, *, checkpoint: tuple[str | None, int | None] | None = None) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._checkpoint = checkpoint

    def initialize(self, shard_id: str, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        self.calls.append(("initialize", shard_id, sequence_number, sub_sequence_number))

    def process_records(self, batch: ProcessRecords, checkpointer: Checkpointer, acknowledge: Callable[[], None]) -> None:
        self.calls.append(("process", [record.data for record in batch.records], batch.millis_behind_latest))
        if self._checkpoint:
            checkpointer.checkpoint(*self._checkpoint)
        if batch.records:
            acknowledge()  # early; the status must still be sent once only

    def idle(self) -> None:
        pass

    def lease_lost(self) -> None:
        self.calls.append(("lease_lost",))

    def shard_ended(self, checkpointer: Checkpointer) -> None:
        self.calls.append(("shard_ended",))

    def shutdown_requested(self, checkpointer: Checkpointer) -> None:
        self.calls.append(("shutdown_requested",))


def a_record(data: bytes) -> dict[str, Any]:
    return {
        "action": "record",
        "data": base64.b64encode(data).decode(),
        "partitionKey": "ключ",
        "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
        "subSequenceNumber": 3,
        "approximateArrivalTimestamp": 1511658000123,
        "unknown": {"later": "versions may add fields"},
    }


def test_every_message_is_answered_with_its_status(daemon: Daemon) -> None:
    daemon.say(
        {"action": "initialize", "shardId": "shardId-0", "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0},
        {"action": "processRecords", "records": [a_record(b"\x00\xff"), a_record(b"")], "millisBehindLatest": 5},
        {"action": "processRecords", "records": [], "millisBehindLatest": None},
        {"action": "shutdownRequested"},
        {"action": "shardEnded"},
        {"action": "leaseLost"},
    )
    daemon.hang_up()
    recorder = Recorder()
    serve(Wire(daemon.child_reads, daemon.child_writes), recorder)
    assert recorder.calls == [
        ("initialize", "shardId-0", "TRIM_HORIZON", 0),
        ("process", [b"\x00\xff", b""], 5),
        ("process", [], None),
        ("shutdown_requested",),
        ("shard_ended",),
        ("lease_lost",),
    ]
    assert daemon.heard() == [
        {"action": "status", "responseFor": action}
        for action in ("initialize", "processRecords", "processRecords", "shutdownRequested", "shardEnded", "leaseLost")
    ]


def test_a_checkpoint_is_a_question_with_an_answer(daemon: Daemon) -> None:
    daemon.say(
        {"action": "processRecords", "records": [], "millisBehindLatest": 0},
        {"action": "checkpoint", "sequenceNumber": "17", "subSequenceNumber": 2, "error": None},
    )
    daemon.hang_up()
    serve(Wire(daemon.child_reads, daemon.child_writes), Recorder(checkpoint=("17", 2)))
    assert daemon.heard() == [
        {"action": "checkpoint", "sequenceNumber": "17", "subSequenceNumber": 2},
        {"action": "status", "responseFor": "processRecords"},
    ]


def test_a_refused_checkpoint_names_the_java_exception(daemon: Daemon) -> None:
    daemon.say(
        {"action": "processRecords", "records": [], "millisBehindLatest": 0},
        {"action": "checkpoint", "sequenceNumber": "17", "subSequenceNumber": 2, "error": "ShutdownException"},
    )
    with pytest.raises(CheckpointFailed) as failed:
        serve(Wire(daemon.child_reads, daemon.child_writes), Recorder(checkpoint=("17", 2)))
    assert failed.value.error == "ShutdownException"
    assert failed.value.lease_is_gone


@pytest.mark.parametrize(
    "line", [b"{not json}\n", b'{"action":"unheard of"}\n', b'{"action":"processRecords","records":[{"data":"&"}]}\n']
)
def test_a_message_that_is_none_ends_the_process(daemon: Daemon, line: bytes) -> None:
    daemon.say_raw(line)
    with pytest.raises(ProtocolError):
        serve(Wire(daemon.child_reads, daemon.child_writes), Recorder())


def test_a_checkpoint_answered_by_something_else_ends_the_process(daemon: Daemon) -> None:
    daemon.say({"action": "processRecords", "records": [], "millisBehindLatest": 0}, {"action": "leaseLost"})
    with pytest.raises(ProtocolError, match="LeaseLost"):
        serve(Wire(daemon.child_reads, daemon.child_writes), Recorder(checkpoint=("1", 0)))


def test_a_silent_daemon_gives_the_processor_its_turn(daemon: Daemon) -> None:
    class Turn(Recorder):
        def idle(self) -> None:
            self.calls.append(("idle",))
            daemon.hang_up()

    recorder = Turn()
    serve(Wire(daemon.child_reads, daemon.child_writes), recorder)
    assert recorder.calls == [("idle",)]


def test_a_message_may_come_in_pieces_and_two_at_once(daemon: Daemon) -> None:
    first, second = (json.dumps({"action": action}).encode() + b"\n" for action in ("shutdownRequested", "leaseLost"))

    class Rest(Recorder):
        def idle(self) -> None:
            daemon.say_raw(first[10:] + second)
            daemon.hang_up()

    daemon.say_raw(first[:10])
    recorder = Rest()
    serve(Wire(daemon.child_reads, daemon.child_writes), recorder)
    assert recorder.calls == [("shutdown_requested",), ("lease_lost",)]


def test_lines_come_whole_however_they_were_cut_and_longer_than_any_buffer() -> None:
    sent = [b"short", b"", b"x" * (5 * CHUNK_BYTES + 3), b"two in", b"one write", b"y" * CHUNK_BYTES]
    read_fd, write_fd = os.pipe()

    def write() -> None:
        data = b"".join(line + b"\n" for line in sent)
        while data:
            data = data[os.write(write_fd, data[:70_001]) :]
        os.close(write_fd)

    writer = threading.Thread(target=write)
    writer.start()
    lines = Lines(read_fd)
    came = []
    while (line := lines.next(None)) is not None:
        came.append(bytes(line))
    writer.join()
    os.close(read_fd)

    assert came == [line + b"\n" for line in sent]


def test_the_room_of_a_large_line_is_given_back_when_nothing_comes() -> None:
    reader, writer = os.pipe()
    lines = Lines(reader)
    large = b"x" * (10 * CHUNK_BYTES) + b"\n"
    writing = threading.Thread(target=lambda: [os.write(writer, large[n : n + 60_000]) for n in range(0, len(large), 60_000)])
    writing.start()
    assert bytes(lines.next(None) or b"") == large
    writing.join()
    assert len(lines._buffer) > 10 * CHUNK_BYTES

    def idle() -> None:
        os.write(writer, b"next\nand on\n")

    assert bytes(lines.next(idle) or b"") == b"next\n"
    assert len(lines._buffer) == 2 * CHUNK_BYTES
    assert bytes(lines.next(None) or b"") == b"and on\n"
    os.close(reader)
    os.close(writer)

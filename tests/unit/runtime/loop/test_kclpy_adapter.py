"""amazon_kclpy processors on our wire; what amazon_kclpy's own loop makes of the same lines is the oracle."""

from __future__ import annotations

import base64
import io
import json
import os
from typing import Any

import pytest
from amazon_kclpy import kcl
from amazon_kclpy.v2 import processor as v2
from amazon_kclpy.v3 import processor as v3

from clickstream.consumers.runtime.loop.wire import ProtocolError, Wire, serve
from tests.unit.runtime.loop.kclpy_adapter import KclpyProcessor


def record(sequence: int, sub: int, data: bytes, key: str = "k") -> dict[str, Any]:
    return {
        "action": "record",
        "data": base64.b64encode(data).decode(),
        "partitionKey": key,
        "sequenceNumber": str(sequence),
        "subSequenceNumber": sub,
        "approximateArrivalTimestamp": 1_700_000_000_123,
    }


INITIALIZE: dict[str, Any] = {
    "action": "initialize",
    "shardId": "shardId-000000000007",
    "sequenceNumber": "41",
    "subSequenceNumber": 0,
}
BATCH: dict[str, Any] = {
    "action": "processRecords",
    "records": [record(42, 0, b"\x00\xff plain"), record(43, 5, "é".encode(), "kéy")],
    "millisBehindLatest": 17,
}
SESSION: list[dict[str, Any]] = [
    INITIALIZE,
    BATCH,
    {"action": "checkpoint", "sequenceNumber": "43", "subSequenceNumber": 5},
    {"action": "processRecords", "records": [], "millisBehindLatest": 0},
    {"action": "shutdownRequested"},
    {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None, "error": "ThrottlingException"},
    {"action": "shardEnded"},
    {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None},
    {"action": "leaseLost"},
]


def everything(record: Any) -> tuple[object, ...]:
    return (
        record.data,
        record.binary_data,
        record.partition_key,
        record.sequence_number,
        record.sub_sequence_number,
        record.timestamp_millis,
        record.approximate_arrival_timestamp,
        *(record[field] for field in BATCH["records"][0]),
    )


class Third(v3.RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy ships no types
    """Notes all that a version 3 processor can see."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def initialize(self, initialize_input: Any) -> None:
        asked = initialize_input
        self.seen.append((asked.action, asked.shard_id, asked.sequence_number, asked.sub_sequence_number))

    def process_records(self, process_records_input: Any) -> None:
        batch = process_records_input
        self.seen.append((batch.action, batch.millis_behind_latest, [everything(record) for record in batch.records]))
        if batch.records:
            batch.checkpointer.checkpoint(batch.records[-1].sequence_number, batch.records[-1].sub_sequence_number)

    def lease_lost(self, lease_lost_input: Any) -> None:
        self.seen.append(lease_lost_input.action)

    def shard_ended(self, shard_ended_input: Any) -> None:
        self.seen.append(shard_ended_input.action)
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        self.seen.append(shutdown_requested_input.action)
        try:
            shutdown_requested_input.checkpointer.checkpoint()
        except kcl.CheckpointError as error:
            self.seen.append((error.value, str(error)))


class Second(v2.RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy ships no types
    def __init__(self) -> None:
        self.seen: list[object] = []

    def initialize(self, initialize_input: Any) -> None:
        self.seen.append(initialize_input.shard_id)

    def process_records(self, process_records_input: Any) -> None:
        self.seen.append([everything(record) for record in process_records_input.records])
        if process_records_input.records:
            process_records_input.checkpointer.checkpoint("43", 5)

    def shutdown(self, shutdown_input: Any) -> None:
        self.seen.append(shutdown_input.reason)
        try:
            shutdown_input.checkpointer.checkpoint()
        except kcl.CheckpointError as error:
            self.seen.append(error.value)

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        with pytest.raises(kcl.CheckpointError):
            shutdown_requested_input.checkpointer.checkpoint()


class First(kcl.RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy ships no types
    def __init__(self) -> None:
        self.seen: list[object] = []

    def initialize(self, shard_id: str) -> None:
        self.seen.append(shard_id)

    def process_records(self, records: Any, checkpointer: Any) -> None:
        self.seen.append([everything(record) for record in records])
        if records:
            checkpointer.checkpoint("43", 5)

    def shutdown(self, checkpointer: Any, reason: str) -> None:
        self.seen.append(reason)
        if reason == "TERMINATE":
            checkpointer.checkpoint()

    def shutdown_requested(self, checkpointer: Any) -> None:
        with pytest.raises(kcl.CheckpointError):
            checkpointer.checkpoint()


def on_our_wire(processor: Any, session: list[dict[str, Any]], said: list[dict[str, Any]]) -> None:
    """Fills ``said`` even when the loop ends by an exception."""
    child_reads, daemon_writes = os.pipe()
    daemon_reads, child_writes = os.pipe()
    with os.fdopen(daemon_writes, "wb") as requests:
        requests.writelines(json.dumps(message).encode() + b"\n" for message in session)
    try:
        serve(Wire(child_reads, child_writes), KclpyProcessor(processor))
    finally:
        os.close(child_writes)
        os.close(child_reads)
        with os.fdopen(daemon_reads, "rb") as answers:
            said.extend(json.loads(line) for line in answers if line.strip())


def on_stock_loop(processor: Any, session: list[dict[str, Any]]) -> list[dict[str, Any]]:
    output = io.StringIO()
    requests = io.StringIO("".join(json.dumps(message) + "\n" for message in session))
    kcl.KCLProcess(processor, input_file=requests, output_file=output, error_file=io.StringIO()).run()
    return [json.loads(line) for line in output.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize("kind", [First, Second, Third])
def test_a_processor_sees_and_says_what_it_does_on_amazon_kclpys_loop(kind: type[Any]) -> None:
    ours, stock = kind(), kind()
    said: list[dict[str, Any]] = []
    on_our_wire(ours, SESSION, said)
    assert said == on_stock_loop(stock, SESSION)
    assert ours.seen == stock.seen
    assert len(said) == 9


class Failing(Third):
    def process_records(self, process_records_input: Any) -> None:
        raise ValueError("a bug of the user's")


def test_an_exception_ends_the_process_without_an_acknowledgement() -> None:
    said: list[dict[str, Any]] = []
    with pytest.raises(ValueError, match="a bug of the user's"):
        on_our_wire(Failing(), SESSION[:2], said)
    assert said == [{"action": "status", "responseFor": "initialize"}]
    # amazon_kclpy acknowledges the very same batch: this is the loss that we do not copy
    assert {"action": "status", "responseFor": "processRecords"} in on_stock_loop(Failing(), SESSION[:2])


def test_a_wire_out_of_step_is_an_invalid_state_to_the_processor_and_the_end_of_the_process() -> None:
    processor = Third()
    with pytest.raises(ProtocolError):
        on_our_wire(processor, [INITIALIZE, {"action": "shutdownRequested"}, {"action": "leaseLost"}], [])
    assert processor.seen[-1] == ("InvalidStateException", "'InvalidStateException'")

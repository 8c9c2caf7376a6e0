"""Runs an unmodified amazon_kclpy record processor (v1, v2 or v3) on our wire loop.

    from tests.unit.runtime.loop.kclpy_adapter import run
    run(MyRecordProcessor())            # where amazon_kclpy's own programs say kcl.KCLProcess(…).run()

What differs from amazon_kclpy's loop: an exception of the processor is not swallowed. amazon_kclpy prints it, acknowledges the
batch, and the next checkpoint passes over it: silent loss. Here the process ends without an acknowledgement or a checkpoint, so
that KCL delivers the batch again. And ``print()`` is harmless: it goes to stderr, not into the protocol.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

from amazon_kclpy import messages
from amazon_kclpy.checkpoint_error import CheckpointError
from amazon_kclpy.v2.processor import V1toV2Processor
from amazon_kclpy.v3.processor import V2toV3Processor

from clickstream.consumers.runtime.loop import wire
from clickstream.consumers.runtime.worker.child import take_over


def run(processor: Any) -> None:
    """Serve the daemon on stdin and stdout until it closes them. ``processor``: an amazon_kclpy RecordProcessorBase."""
    wire.serve(wire.Wire(*take_over()), KclpyProcessor(processor))


class KclpyProcessor:
    """A ``ShardProcessor`` that calls an amazon_kclpy RecordProcessorBase with amazon_kclpy's own message objects."""

    def __init__(self, processor: Any) -> None:
        match processor.version:
            case 1:
                self._processor = V2toV3Processor(V1toV2Processor(processor))
            case 2:
                self._processor = V2toV3Processor(processor)
            case _:
                self._processor = processor

    def initialize(self, shard_id: str, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        message = messages.InitializeInput(
            {
                "action": "initialize",
                "shardId": shard_id,
                "sequenceNumber": sequence_number,
                "subSequenceNumber": sub_sequence_number,
            }
        )
        self._processor.initialize(message)

    def process_records(
        self, batch: wire.ProcessRecords, checkpointer: wire.Checkpointer, acknowledge: Callable[[], None]
    ) -> None:
        """The batch is acknowledged when the processor returns, and only then: it may checkpoint until it does."""
        message = messages.ProcessRecordsInput(
            {
                "action": "processRecords",
                "records": [Record(record) for record in batch.records],
                "millisBehindLatest": batch.millis_behind_latest,
            }
        )
        self._dispatch(message, checkpointer)

    def idle(self) -> None:
        """The processor of amazon_kclpy knows no such turn."""

    def lease_lost(self) -> None:
        self._processor.lease_lost(messages.LeaseLostInput({"action": "leaseLost"}))

    def shard_ended(self, checkpointer: wire.Checkpointer) -> None:
        self._dispatch(messages.ShardEndedInput({"action": "shardEnded"}), checkpointer)

    def shutdown_requested(self, checkpointer: wire.Checkpointer) -> None:
        self._dispatch(messages.ShutdownRequestedInput({"action": "shutdownRequested"}), checkpointer)

    def _dispatch(self, message: Any, checkpointer: wire.Checkpointer) -> None:
        adapted = Checkpointer(checkpointer)
        message.dispatch(adapted, self._processor)
        adapted.raise_protocol_error()


_ATTRIBUTES = {
    "partitionKey": "partition_key",
    "sequenceNumber": "sequence_number",
    "subSequenceNumber": "sub_sequence_number",
    "approximateArrivalTimestamp": "approximate_arrival_timestamp",
}


class Record(messages.Record):  # type: ignore[misc]  # amazon_kclpy ships no types
    """amazon_kclpy's Record over ours: each field is made when it is asked for, most never are."""

    def __init__(self, record: wire.Record) -> None:
        self._record = record

    @property
    def binary_data(self) -> bytes:
        return self._record.data

    @property
    def data(self) -> str:
        """Base64 text, as it came over the wire; ``binary_data`` costs nothing."""
        return base64.b64encode(self._record.data).decode("ascii")

    @property
    def sequence_number(self) -> str:
        return self._record.sequence_number

    @property
    def sub_sequence_number(self) -> int:
        return self._record.sub_sequence_number

    @property
    def timestamp_millis(self) -> int:
        return self._record.approximate_arrival_timestamp

    @property
    def approximate_arrival_timestamp(self) -> datetime:
        # amazon_kclpy's is in local time and without a zone: what processors compare it with is too
        return datetime.fromtimestamp(self._record.approximate_arrival_timestamp / 1000.0)

    @property
    def partition_key(self) -> str | None:
        return self._record.partition_key

    def get(self, field: str) -> Any:
        """A field by its name on the wire, as version 1 processors read them; raises KeyError."""
        match field:
            case "data":
                return self.data
            case "action":
                return "record"
            case _:
                return getattr(self._record, _ATTRIBUTES[field])


class Checkpointer:
    """amazon_kclpy's Checkpointer: same arguments, same CheckpointError with the Java exception's name as ``value``."""

    def __init__(self, checkpointer: wire.Checkpointer) -> None:
        self._checkpointer = checkpointer
        self._protocol_error: wire.ProtocolError | None = None

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> None:
        """Up to and with this record; without arguments, all that was delivered."""
        try:
            self._checkpointer.checkpoint(sequence_number, sub_sequence_number)
        except wire.CheckpointFailed as error:
            raise CheckpointError(error.error) from error
        except wire.ProtocolError as error:
            self._protocol_error = error
            raise CheckpointError("InvalidStateException") from error

    def raise_protocol_error(self) -> None:
        """A processor may catch CheckpointError and go on; over a broken wire this process may not."""
        if self._protocol_error is not None:
            raise self._protocol_error

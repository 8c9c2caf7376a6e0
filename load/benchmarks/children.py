"""The two children of the ``pipe`` benchmark: ``python -m load.benchmarks.children ours|stock``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

from amazon_kclpy import kcl, messages
from amazon_kclpy.v3 import processor

from consumers.runtime.child import tune_garbage_collector
from consumers.runtime.decoding import decode_batch
from consumers.runtime.wire import Checkpointer, ProcessRecords, Wire, serve


class DecodingShard:
    """Our loop's first half: acknowledged as the shard loop does it, decoded and validated; nothing else."""

    def initialize(self, shard_id: str, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        pass

    def process_records(self, batch: ProcessRecords, checkpointer: Checkpointer, acknowledge: Callable[[], None]) -> None:
        acknowledge()
        decoded = decode_batch(batch.records)
        assert not decoded.rejections

    def idle(self) -> None:
        pass

    def lease_lost(self) -> None:
        pass

    def shard_ended(self, checkpointer: Checkpointer) -> None:
        pass

    def shutdown_requested(self, checkpointer: Checkpointer) -> None:
        pass


class StockProcessor(processor.RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy ships no types
    """A consumer as amazon_kclpy's sample writes it, parsing JSON."""

    def initialize(self, initialize_input: messages.InitializeInput) -> None:
        pass

    def process_records(self, process_records_input: messages.ProcessRecordsInput) -> None:
        for record in process_records_input.records:
            json.loads(record.binary_data)

    def lease_lost(self, lease_lost_input: messages.LeaseLostInput) -> None:
        pass

    def shard_ended(self, shard_ended_input: messages.ShardEndedInput) -> None:
        pass

    def shutdown_requested(self, shutdown_requested_input: messages.ShutdownRequestedInput) -> None:
        pass


if __name__ == "__main__":
    if sys.argv[1] == "ours":
        tune_garbage_collector()
        serve(Wire(os.dup(0), os.dup(1)), DecodingShard())
    else:
        kcl.KCLProcess(StockProcessor()).run()

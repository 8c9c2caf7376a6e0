"""``python -m load.benchmarks.stock_fold APPLICATION FOLDER``: our fold in amazon_kclpy's loop, as its users write it.

After each batch it writes how many records it has handled to a file of the shard's name.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from amazon_kclpy import kcl, messages
from amazon_kclpy.v3 import processor

from clickstream import events
from clickstream.settings import from_env
from consumers.runtime.worker import child

#: The sample's own.
_CHECKPOINT_S = 60.0


class FoldingProcessor(processor.RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy ships no types
    """Parse as the sample does, check, fold, make the effects, and only then return."""

    def __init__(self, prepared: child.Prepared, folder: Path) -> None:
        self._prepared = prepared
        self._folder = folder
        self._handled = 0
        self._checkpointed = time.monotonic()

    def initialize(self, initialize_input: messages.InitializeInput) -> None:
        self._shard = initialize_input.shard_id
        self._fold = self._prepared.application.open_fold(self._shard)

    def process_records(self, process_records_input: messages.ProcessRecordsInput) -> None:
        records = process_records_input.records
        if records:
            self._fold.apply([events.from_builtins(json.loads(record.binary_data)) for record in records])
            self._fold.effects(flush=False)
            self._handled += len(records)
            (self._folder / self._shard).write_text(str(self._handled))
        if time.monotonic() - self._checkpointed > _CHECKPOINT_S:
            self._checkpointed = time.monotonic()
            process_records_input.checkpointer.checkpoint()

    def lease_lost(self, lease_lost_input: messages.LeaseLostInput) -> None:
        pass

    def shard_ended(self, shard_ended_input: messages.ShardEndedInput) -> None:
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: messages.ShutdownRequestedInput) -> None:
        shutdown_requested_input.checkpointer.checkpoint()


if __name__ == "__main__":
    prepared = child.prepare(sys.argv[1], from_env())
    kcl.KCLProcess(FoldingProcessor(prepared, Path(sys.argv[2]))).run()

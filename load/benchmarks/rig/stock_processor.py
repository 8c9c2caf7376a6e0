"""A consumer as amazon_kclpy's sample is written: the loop that every peer of a shard's process runs in.

It imports amazon_kclpy alone, so that a peer carries nothing but what its own program imports.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

from amazon_kclpy import kcl, messages
from amazon_kclpy.checkpoint_error import CheckpointError
from amazon_kclpy.v3 import processor

#: The sample's own.
_CHECKPOINT_S = 60.0


class StockProcessor(processor.RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy ships no types
    """Handles each batch, and checkpoints once a minute."""

    shard = ""

    def initialize(self, initialize_input: messages.InitializeInput) -> None:
        self.shard = initialize_input.shard_id
        self._checkpointed = time.monotonic()

    def process_records(self, process_records_input: messages.ProcessRecordsInput) -> None:
        self.handle(process_records_input.records)
        if time.monotonic() - self._checkpointed > _CHECKPOINT_S:
            self._checkpoint(process_records_input.checkpointer)

    def handle(self, records: Sequence[messages.Record]) -> None:
        """Parse each record, and nothing else."""
        for record in records:
            json.loads(record.binary_data)

    def lease_lost(self, lease_lost_input: messages.LeaseLostInput) -> None:
        pass

    def shard_ended(self, shard_ended_input: messages.ShardEndedInput) -> None:
        self._checkpoint(shard_ended_input.checkpointer)

    def shutdown_requested(self, shutdown_requested_input: messages.ShutdownRequestedInput) -> None:
        self._checkpoint(shutdown_requested_input.checkpointer)

    def _checkpoint(self, checkpointer: kcl.Checkpointer) -> None:
        self._checkpointed = time.monotonic()
        try:
            checkpointer.checkpoint()
        except CheckpointError as error:
            print(f"checkpoint failed: {error.value}", file=sys.stderr)  # noqa: T201  # as the sample does

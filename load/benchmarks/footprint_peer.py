"""``python -m load.benchmarks.footprint_peer APPLICATION``: the peer of ``footprint``, a shard's process of amazon_kclpy.

It carries what ours carries, each process for itself: the application, its libraries, the AWS clients.
"""

from __future__ import annotations

import json
import sys

from amazon_kclpy import kcl, messages
from amazon_kclpy.v3 import processor

from clickstream.settings import from_env
from consumers.runtime.worker import child


class Parse(processor.RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy ships no types
    """Parses, and that is all."""

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
    prepared = child.prepare(sys.argv[1], from_env())
    kcl.KCLProcess(Parse()).run()

"""A record processor as amazon_kclpy's own sample writes one, run as a script by KCL: ``sample_processor.py NOTES LOOP``.

It notes, one JSON object a line, what it was told. LOOP says who runs it: ``stock`` amazon_kclpy's loop, ``ours`` our wire.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor


class RecordProcessor(processor.RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy ships no types
    def __init__(self, notes: str) -> None:
        self._notes = notes
        self._shard_id = ""

    def note(self, what: str, **more: Any) -> None:
        note = {"what": what, "shard": self._shard_id, "worker": os.environ["CLICKSTREAM_WORKER_ID"], "at": time.time(), **more}
        with open(self._notes, "a", encoding="utf-8") as file:  # noqa: PTH123  # as the sample does; one write per line
            file.write(json.dumps(note) + "\n")

    def initialize(self, initialize_input: Any) -> None:
        self._shard_id = initialize_input.shard_id
        self.note("initialize", position=initialize_input.sequence_number)

    def process_records(self, process_records_input: Any) -> None:
        for record in process_records_input.records:
            self.note("record", data=record.binary_data.decode(), key=record.partition_key)
        if process_records_input.records:
            last = process_records_input.records[-1]
            self.checkpoint(process_records_input.checkpointer, last.sequence_number, last.sub_sequence_number)

    def checkpoint(self, checkpointer: Any, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> None:
        try:
            checkpointer.checkpoint(sequence_number, sub_sequence_number)
        except kcl.CheckpointError as error:
            self.note("checkpoint refused", error=error.value)

    def lease_lost(self, lease_lost_input: Any) -> None:
        self.note("lease lost")

    def shard_ended(self, shard_ended_input: Any) -> None:
        self.note("shard ended")
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        self.note("shutdown requested")
        shutdown_requested_input.checkpointer.checkpoint()


if __name__ == "__main__":
    sample = RecordProcessor(sys.argv[1])
    if sys.argv[2] == "ours":
        from tests.unit.runtime.loop.kclpy_adapter import run

        run(sample)
    else:
        kcl.KCLProcess(sample).run()

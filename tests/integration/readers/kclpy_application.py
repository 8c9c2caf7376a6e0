"""An application of amazon_kclpy's own loop, run by KCL as ``kclpy_application.py FOLDER``.

It opens records with the Python file of the docs. It notes each event in FOLDER, one file per shard: its JSON, and the
sub-sequence number of the user record that held it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor

sys.path.insert(0, str(Path(__file__).parents[3] / "docs" / "reference" / "readers"))
from lambda_function import lines  # type: ignore[import-not-found]


class Application(processor.RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy ships no types
    def initialize(self, initialize_input: Any) -> None:
        self._notes = Path(sys.argv[1]) / initialize_input.shard_id

    def process_records(self, process_records_input: Any) -> None:
        with self._notes.open("ab") as file:
            for record in process_records_input.records:
                for _, line in lines(record.binary_data):
                    file.write(b"%d %b\n" % (record.sub_sequence_number, line.strip()))

    def lease_lost(self, lease_lost_input: Any) -> None: ...

    def shard_ended(self, shard_ended_input: Any) -> None:
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        shutdown_requested_input.checkpointer.checkpoint()


if __name__ == "__main__":
    kcl.KCLProcess(Application()).run()

"""The peer of ``cold-start`` and ``takeover``: ``python -m clickstream.load.benchmarks.workers.starts_peer FOLDER``, one shard.

After each batch it writes the arrival time (ms) of its last record to a file named after the shard, so that the benchmark sees
from outside whether the shard moves.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from amazon_kclpy import kcl, messages

from clickstream.load.benchmarks.rig.stock_processor import StockProcessor


class ReportingProcessor(StockProcessor):
    """Parses, and reports the last arrival."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def handle(self, records: Sequence[messages.Record]) -> None:
        super().handle(records)
        if records:
            arrived = records[-1].approximate_arrival_timestamp
            (self._folder / self.shard).write_text(str(int(arrived.timestamp() * 1000)))


if __name__ == "__main__":
    kcl.KCLProcess(ReportingProcessor(Path(sys.argv[1]))).run()

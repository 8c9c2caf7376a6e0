"""``python -m clickstream.load.benchmarks.workers.end_to_end_peer APPLICATION FOLDER``: our fold in amazon_kclpy's loop.

After each batch it writes how many records it has handled to a file named after the shard.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from amazon_kclpy import kcl, messages

from clickstream import events
from clickstream.consumers.runtime.worker import child
from clickstream.load.benchmarks.rig.stock_processor import StockProcessor
from clickstream.settings import from_env


class FoldingProcessor(StockProcessor):
    """Parses as the sample does, checks, folds, and makes the effects."""

    def __init__(self, prepared: child.Prepared, folder: Path) -> None:
        self._prepared = prepared
        self._folder = folder
        self._handled = 0

    def initialize(self, initialize_input: messages.InitializeInput) -> None:
        super().initialize(initialize_input)
        self._fold = self._prepared.application.open_fold(self.shard)

    def handle(self, records: Sequence[messages.Record]) -> None:
        if records:
            self._fold.apply([events.from_builtins(json.loads(record.binary_data)) for record in records])
            self._fold.effects(flush=False)
            self._handled += len(records)
            (self._folder / self.shard).write_text(str(self._handled))


if __name__ == "__main__":
    prepared = child.prepare(sys.argv[1], from_env())
    kcl.KCLProcess(FoldingProcessor(prepared, Path(sys.argv[2]))).run()

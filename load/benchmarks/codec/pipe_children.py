"""The two children of the ``pipe`` benchmark: ``python -m clickstream.load.benchmarks.codec.pipe_children ours|stock FILE``.

When the lease is lost, each writes the seconds of CPU time that it has used since ``initialize`` to the file.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from amazon_kclpy import kcl, messages

from clickstream.consumers.runtime.loop.decoding import decode
from clickstream.consumers.runtime.loop.opening import slices
from clickstream.consumers.runtime.loop.wire import Checkpointer, ProcessRecords, Wire, serve
from clickstream.consumers.runtime.worker.child import tune_garbage_collector
from clickstream.load.benchmarks.rig.stock_processor import StockProcessor
from clickstream.records.position import START


class Spent:
    """CPU time of this process between two calls."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._started = 0.0

    def start(self) -> None:
        self._started = time.process_time()

    def write(self) -> None:
        self._file.write_text(str(time.process_time() - self._started))


class DecodingShard:
    """Our loop's first half: acknowledged as the shard loop does it, decoded and validated; nothing else."""

    def __init__(self, spent: Spent) -> None:
        self._spent = spent

    def initialize(self, shard_id: str, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        self._spent.start()

    def process_records(self, batch: ProcessRecords, checkpointer: Checkpointer, acknowledge: Callable[[], None]) -> None:
        acknowledge()
        for part in slices(batch.records, START):
            assert not decode(part).rejections

    def idle(self) -> None:
        pass

    def lease_lost(self) -> None:
        self._spent.write()

    def shard_ended(self, checkpointer: Checkpointer) -> None:
        pass

    def shutdown_requested(self, checkpointer: Checkpointer) -> None:
        pass


class ParsingShard(StockProcessor):
    """A consumer as amazon_kclpy's sample is written, parsing JSON."""

    def __init__(self, spent: Spent) -> None:
        self._spent = spent

    def initialize(self, initialize_input: messages.InitializeInput) -> None:
        super().initialize(initialize_input)
        self._spent.start()

    def lease_lost(self, lease_lost_input: messages.LeaseLostInput) -> None:
        self._spent.write()


if __name__ == "__main__":
    spent = Spent(Path(sys.argv[2]))
    if sys.argv[1] == "ours":
        tune_garbage_collector()
        serve(Wire(os.dup(0), os.dup(1)), DecodingShard(spent))
    else:
        kcl.KCLProcess(ParsingShard(spent)).run()

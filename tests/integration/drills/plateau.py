"""``python -m tests.integration.drills.plateau``: one shard's state over six hours of events, folded as fast as it goes.

A soak of minutes cannot be flat: a shard remembers event ids for ten minutes, sessions for an hour, and windows for hours. This
shows where its memory stops growing. Exit code 0 only if the last third of the time peaks less than 5 % above all before it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

from clickstream.consumers.analytics.wiring import APPLICATION
from clickstream.consumers.runtime.loop.opening import opened
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.consumers.runtime.worker.child import tune_garbage_collector
from clickstream.load.traffic.arrivals import arrivals
from clickstream.load.traffic.faults import Rates
from clickstream.load.traffic.records import Traffic
from clickstream.load.traffic.shop.visitors import shop_for
from clickstream.records.routing import WHOLE_SPACE
from tests.integration.drills.soak import pss_mb

_T0_MS = 1_700_000_000_000
#: As the runtime's commits (clickstream.consumers.runtime.loop.checkpointing, snapshots).
_COMMIT_S = 0.5
_FULL_EVERY = 64
_LOOK_S = 1_800.0


def samples(rate: float, hours: float) -> Iterator[tuple[float, float]]:
    """(hours of events, MB) every half hour, for one shard that gets ``rate`` records a second."""
    state = ShardState(APPLICATION.name, APPLICATION.open_fold("shardId-000000000000"), WHOLE_SPACE)
    traffic = Traffic(1, shop_for(rate), Rates())
    batch: list[Record] = []
    commits, committed_s, looked_s = 0, 0.0, 0.0
    for number, offset_us in enumerate(arrivals(1, rate), start=1):
        at_s, at_ms = offset_us / 1e6, _T0_MS + offset_us // 1000
        emission = traffic.emit(at_ms)
        batch.append(Record(emission.data, emission.key, str(number), 0, at_ms))
        if at_s - committed_s >= _COMMIT_S:
            state.apply(list(opened(batch)))
            state.fold.effects(flush=True)
            commits += 1
            if commits % _FULL_EVERY:
                state.changes()
            else:
                state.snapshot()
            batch, committed_s = [], at_s
        if at_s - looked_s >= _LOOK_S:
            looked_s = at_s
            yield at_s / 3600, pss_mb(os.getpid()) or 0.0
        if at_s >= hours * 3600:
            return


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.drills.plateau", description=__doc__)
    parser.add_argument("--rate", type=float, default=75.0, help="records a second of the one shard")
    parser.add_argument("--hours", type=float, default=6.0)
    options = parser.parse_args(arguments)
    tune_garbage_collector()
    taken = []
    for hours, mb in samples(options.rate, options.hours):
        print(f"{hours:4.1f} h  {mb:7.1f} MB", flush=True)  # noqa: T201  the result
        taken.append(mb)
    before = len(taken) * 2 // 3
    # peaks, since the allocator hands memory back in steps of megabytes
    added = max(taken[before:]) / max(taken[:before]) - 1
    print(f"the last third added {added:+.1%}", file=sys.stderr)  # noqa: T201  for people
    return 0 if added < 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())

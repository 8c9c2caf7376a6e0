"""``python -m tests.integration.fraud.pace --rate 2000``: how soon purchases are decided, on an embedded AWS of its own.

One JSON object on stdout: purchase (event time) to decision in milliseconds, how many were decided without the keys that cross
shards, and the memory of the worker's processes in MB. The load is sent at a steady pace, whatever becomes of it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

import msgspec
import numpy as np

from clickstream.consumers.fraud.decisions import PARTIAL
from clickstream.infra.local import resources, stack
from clickstream.load.benchmarks.harness.sample import sample_events
from clickstream.load.traffic.history.adversaries import history
from clickstream.producers.publisher.kinesis import KinesisPublisher
from tests.integration.fraud.application import START_MS, Fraud, model_files, vectors_of
from tests.integration.resharding.platform import DEADLINE_S, Platform

_STEP = 50


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.fraud.pace", description=__doc__)
    parser.add_argument("--rate", type=int, default=2_000, help="events a second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--shards", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, stack.local_aws(Path(scratch) / "aws") as running:
        settings = msgspec.structs.replace(running.settings, name="pace", local_dir=Path(scratch))
        platform = Platform(settings, Path(scratch))
        resources.create(platform.clients, settings, shards=options.shards)
        fraud = Fraud(platform)
        shop = history(3, people=300, days=30, start_ms=START_MS)
        fraud.publish(model_files(shop, vectors_of(shop.events), 0))
        with fraud.worker("w1") as worker, KinesisPublisher(settings) as publisher:
            platform.wait_until(lambda: fraud.counted()[0] == options.shards, "every shard has an owner", worker)
            # KCL reads a shard first about 1.5 s after it has taken it: what waits for that is a start, not a pace.
            started = _send(publisher, options.rate, 1)
            publisher.flush(DEADLINE_S)
            platform.wait_until(lambda: fraud.counted()[1] >= started, "the first second's events are folded", worker)
            began_ms = time.time_ns() // 1_000_000
            sent = started + _send(publisher, options.rate, options.seconds)
            publisher.flush(DEADLINE_S)
            platform.wait_until(lambda: fraud.counted()[1] >= sent, "all events are folded", worker)
            memory = _memory_mb(scratch)
            decided = [decision for decision, _ in fraud.decided().values() if decision.occurred_at >= began_ms]
    waited = np.array([decision.decided_at - decision.occurred_at for decision in decided])
    partial = sum(PARTIAL.feature in [reason.feature for reason in decision.reasons] for decision in decided)
    print(  # noqa: T201  the result
        json.dumps(
            {
                "events": sent,
                "decided": len(decided),
                "p50_ms": round(float(np.percentile(waited, 50))),
                "p99_ms": round(float(np.percentile(waited, 99))),
                "without_shared_keys": partial,
                "memory_mb": memory,
                "load_average": round(os.getloadavg()[0], 1),
            }
        )
    )


def _send(publisher: KinesisPublisher, rate: int, seconds: int) -> int:
    events = sample_events(rate * seconds, users=20_000)
    began = time.monotonic()
    for number, event in enumerate(events):
        now_ms = time.time_ns() // 1_000_000
        publisher.put(msgspec.structs.replace(event, event_id=str(uuid.uuid4()), occurred_at=now_ms))
        if number % _STEP == _STEP - 1:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
    print(f"sent {len(events):,} events in {time.monotonic() - began:.1f} s", file=sys.stderr)  # noqa: T201  progress
    return len(events)


def _memory_mb(folder: str) -> list[dict[str, float]]:
    """Of every process of the worker's Python (Linux): proportional, and private, which is what a further one costs."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if (process / "comm").read_text().strip() not in ("zygote", "shard"):
                continue
            if folder not in (process / "environ").read_text():
                continue
            lines = [line.split() for line in (process / "smaps_rollup").read_text().splitlines()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        sizes = {line[0]: int(line[1]) / 1024 for line in lines if line[0] in ("Pss:", "Private_Dirty:")}
        found.append({"pss": round(sizes["Pss:"], 1), "private": round(sizes["Private_Dirty:"], 1)})
    return found


if __name__ == "__main__":
    main()

"""``decode``: a batch's message and its events, from bytes to objects, in process."""

from __future__ import annotations

import json
from collections.abc import Sequence

from amazon_kclpy import dispatch

from clickstream.consumers.runtime.loop.decoding import decode
from clickstream.consumers.runtime.loop.opening import slices
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, cpu_rate
from clickstream.load.benchmarks.harness.sample import PER_RECORD, batches, daemon_lines, shop_events
from clickstream.records.position import START

_COUNT = 60_000
_PER_BATCH = 2_000


def benchmark() -> Benchmark:
    sample = shop_events(_COUNT)
    lines = daemon_lines(sample, per_batch=_PER_BATCH, per_record=PER_RECORD)
    # the stock loop reads text; decoding the line to it is not counted against the peer
    texts = [line.decode() for line in daemon_lines(sample, per_batch=_PER_BATCH)]

    def ours() -> Reading:
        return cpu_rate(_COUNT, lambda: decode_alone(lines, _COUNT))

    def peer() -> Reading:
        def work() -> None:
            for text in texts:
                batch = json.loads(text, object_hook=dispatch.message_decode)
                for record in batch.records:
                    json.loads(record.binary_data)

        return cpu_rate(_COUNT, work)

    return Benchmark(
        id="decode",
        what=f"message and event decoding in process, {_PER_BATCH:,} events of 345 bytes a batch",
        unit="events/s",
        aim="≥ 5x",
        least=5,
        peer_name="amazon_kclpy 3.1.3 message decoding + json.loads of binary_data, an event a record",
        fairness=f"The same events, the stock loop's own decoding call. Ours come {PER_RECORD} to a record (zstd), as the "
        "publisher writes them, and are inflated; ours validates every field and yields typed events, the peer yields plain "
        "dicts, unvalidated.",
        clock="CPU",
        ours=ours,
        peer=peer,
    )


def decode_alone(lines: Sequence[bytes], count: int) -> None:
    """What every consumer must do at least: the daemon's lines into messages, their records into so many events."""
    found = 0
    for batch in batches(lines):
        found += sum(len(decode(part).events) for part in slices(batch.records, START))
    assert found == count

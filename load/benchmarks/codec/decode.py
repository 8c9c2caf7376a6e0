"""``decode``: a batch's message and its events, from bytes to objects, in process."""

from __future__ import annotations

import json
from collections.abc import Sequence

from amazon_kclpy import dispatch

from clickstream import events
from load.benchmarks.harness.measure import Benchmark, Reading, cpu_rate
from load.benchmarks.harness.sample import batches, daemon_lines, sample_events

_COUNT = 60_000


def benchmark() -> Benchmark:
    lines = daemon_lines(sample_events(_COUNT), per_batch=2_000)
    # the stock loop reads text; decoding the line to it is not counted against the peer
    texts = [line.decode() for line in lines]

    def ours() -> Reading:
        return cpu_rate(_COUNT, lambda: decode_alone(lines))

    def peer() -> Reading:
        def work() -> None:
            for text in texts:
                batch = json.loads(text, object_hook=dispatch.message_decode)
                for record in batch.records:
                    json.loads(record.binary_data)

        return cpu_rate(_COUNT, work)

    return Benchmark(
        id="decode",
        what="message and event decoding in process, 2,000 records a batch",
        unit="events/s",
        aim="≥ 5x",
        least=5,
        peer_name="amazon_kclpy 3.1.3 message decoding + json.loads of binary_data",
        fairness="The same lines, the stock loop's own decoding call. Ours also validates every field and yields typed events; "
        "the peer yields plain dicts, unvalidated.",
        clock="CPU",
        ours=ours,
        peer=peer,
    )


def decode_alone(lines: Sequence[bytes]) -> None:
    """What every consumer must do at least: the daemon's lines into messages, their records into events."""
    for batch in batches(lines):
        for record in batch.records:
            events.decode(record.data)

"""``decode``: a batch's message and its events, from bytes to objects, in process."""

from __future__ import annotations

import json
import time

import msgspec
from amazon_kclpy import dispatch

from clickstream import events
from consumers.runtime.wire import Message, ProcessRecords
from load.benchmarks.measure import Benchmark
from load.benchmarks.sample import daemon_lines, sample_events

_COUNT = 60_000


def benchmark() -> Benchmark:
    lines = daemon_lines(sample_events(_COUNT), per_batch=2_000)
    texts = [line.decode() for line in lines]
    decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)

    def ours() -> float:
        started = time.perf_counter()
        for line in lines:
            batch = decoder.decode(line)
            assert isinstance(batch, ProcessRecords)
            for record in batch.records:
                events.decode(record.data)
        return _COUNT / (time.perf_counter() - started)

    def peer() -> float:
        started = time.perf_counter()
        for text in texts:
            batch = json.loads(text, object_hook=dispatch.message_decode)
            for record in batch.records:
                json.loads(record.binary_data)
        return _COUNT / (time.perf_counter() - started)

    return Benchmark(
        id="decode",
        what="message and event decoding in process, 2,000 records a batch",
        unit="events/s",
        aim="≥ 5x",
        peer_name="amazon_kclpy 3.1.3 message decoding + json.loads of binary_data",
        fairness="Ours also validates every field and yields typed events; the peer yields plain dicts, unvalidated.",
        ours=ours,
        peer=peer,
    )

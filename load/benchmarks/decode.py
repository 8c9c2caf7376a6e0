"""``decode``: a batch's message and its events, from bytes to objects, in process."""

from __future__ import annotations

import json

import msgspec
from amazon_kclpy import dispatch

from clickstream import events
from consumers.runtime.loop.wire import Message, ProcessRecords
from load.benchmarks.measure import Benchmark, Reading, cpu_rate
from load.benchmarks.sample import daemon_lines, sample_events

_COUNT = 60_000


def benchmark() -> Benchmark:
    lines = daemon_lines(sample_events(_COUNT), per_batch=2_000)
    # the stock loop reads text; decoding the line to it is not counted against the peer
    texts = [line.decode() for line in lines]
    decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)

    def ours() -> Reading:
        return cpu_rate(_COUNT, lambda: decode_alone(decoder, lines))

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


def decode_alone(decoder: msgspec.json.Decoder[Message], lines: list[bytes]) -> None:
    """What every consumer must do at least: the daemon's lines into messages, their records into events."""
    for line in lines:
        batch = decoder.decode(line)
        assert isinstance(batch, ProcessRecords)
        for record in batch.records:
            events.decode(record.data)

"""``fill``: how many bytes of events a second one shard takes, when its write limits are enforced."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from clickstream import events
from clickstream.aws import Clients
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, per_second
from clickstream.load.benchmarks.harness.sample import shop_events
from clickstream.load.benchmarks.rig.kinesis import stream
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.limits import Limits

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

_EVENTS = 30_000
#: The shard begins with a second's worth of unused limit, which would flatter both sides.
_WARM_UP_S = 2.0
_COUNTED_S = 8.0
_LIMIT_BYTES_PER_S = 1024 * 1024
_CALL = 500
_PAUSE_S = 0.05


def benchmark(warm_up_s: float = _WARM_UP_S, counted_s: float = _COUNTED_S) -> Benchmark:
    return Benchmark(
        id="fill",
        what="345-byte events into one shard, its write limits enforced by the embedded Kinesis",
        unit="MB/s",
        aim="≥ 17x, ≥ 4.5x the shard's limit, < 1 % throttled",
        least=17,
        within={"ours times the limit": (4.5, 100), "ours % throttled": (0, 1)},
        peer_name="boto3 PutRecords of single events, 500 a call",
        fairness=f"The same events and server; both put as fast as they are let, {counted_s:.0f} s after {warm_up_s:.0f} s "
        "that are not counted. The peer puts what was refused again, before anything new, after a wait that doubles while "
        "everything is refused; the shard's 1,000 records/s hold it back, and a longer wait would only lower its throttled "
        "share. Counted are the bytes of the events as JSON; ours sends them compressed, which no producer of AWS does by "
        "itself. Ours keeps each user's order as well. The limit is 1 MB/s (2^20 bytes) of what is sent.",
        clock="wall",
        ours=partial(publish, warm_up_s, counted_s),
        peer=partial(put_singly, warm_up_s, counted_s),
        rounds=3,
    )


def sample() -> list[tuple[str, bytes]]:
    """(user, event): put round and round."""
    return [(event.user_id, events.encode(event)) for event in shop_events(_EVENTS)]


def publish(warm_up_s: float, counted_s: float) -> Reading:
    """Our publisher, which paces itself below the limits."""
    given = sample()
    coming = itertools.cycle(given)
    # a small buffer: what waits in it at the end must still be put
    limits = Limits(buffer_bytes=4 * 1024 * 1024)
    with stream(limits=True) as settings, KinesisPublisher(settings, limits) as publisher:

        def put_for(seconds: float) -> tuple[int, float]:
            before, started = publisher.counters.delivered, time.monotonic()
            while time.monotonic() < started + seconds:
                for user, data in itertools.islice(coming, 100):
                    publisher.put_raw(user, data)
            return publisher.counters.delivered - before, time.monotonic() - started

        put_for(warm_up_s)
        delivered, spent = put_for(counted_s)
        publisher.flush()
        counters = publisher.counters
    return _reading(delivered * _mean(given), spent, refused=counters.throttled, taken=counters.records)


def put_singly(warm_up_s: float, counted_s: float) -> Reading:
    """PutRecords as most producers write it."""
    given = sample()
    coming = itertools.cycle(given)
    waiting: list[PutRecordsRequestEntryTypeDef] = []
    tried = taken = 0
    with stream(limits=True) as settings:
        kinesis = Clients(settings).kinesis

        def put_for(seconds: float) -> tuple[int, float]:
            nonlocal waiting, tried, taken
            before, started = taken, time.monotonic()
            pause = _PAUSE_S
            while time.monotonic() < started + seconds:
                call = waiting
                for user, data in itertools.islice(coming, _CALL - len(waiting)):
                    call.append({"PartitionKey": user, "Data": data})
                answer = kinesis.put_records(StreamName=settings.stream, Records=call)
                waiting = [record for record, place in zip(call, answer["Records"], strict=True) if "ErrorCode" in place]
                tried += len(call)
                taken += len(call) - len(waiting)
                pause = min(1.0, 2 * pause) if len(waiting) == len(call) else _PAUSE_S
                if waiting:
                    time.sleep(pause)
            return taken - before, time.monotonic() - started

        put_for(warm_up_s)
        accepted, spent = put_for(counted_s)
    return _reading(accepted * _mean(given), spent, refused=tried - taken, taken=taken)


def _mean(given: Sequence[tuple[str, bytes]]) -> float:
    """Bytes of an event."""
    return sum(len(data) for _, data in given) / len(given)


def _reading(size: float, seconds: float, *, refused: int, taken: int) -> Reading:
    """``refused`` and ``taken`` are Kinesis records, over the whole run."""
    rate = per_second(size, seconds)
    share = {"times the limit": rate / _LIMIT_BYTES_PER_S, "% throttled": 100 * refused / (refused + taken)}
    return Reading(rate / 1e6, share)

"""``fill``: how much of one shard's write limit small events reach, when the limits are enforced."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from clickstream import events
from clickstream.aws import Clients
from clickstream.events import PageView
from load.benchmarks.harness.measure import Benchmark, Reading, per_second
from load.benchmarks.rig.kinesis import stream
from producers.publisher.kinesis import KinesisPublisher
from producers.publisher.limits import Limits

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

EVENT_BYTES = 256
_USERS = 20_000
#: The shard begins with a second's worth of unused limit, which would flatter both sides.
_WARM_UP_S = 2.0
_COUNTED_S = 8.0
_LIMIT_BYTES_PER_S = 1024 * 1024
_CALL = 500
_PAUSE_S = 0.05
_START_MS = 1_764_000_000_000


def benchmark() -> Benchmark:
    return Benchmark(
        id="fill",
        what=f"{EVENT_BYTES}-byte events into one shard, its write limits enforced by the embedded Kinesis",
        unit="MB/s",
        aim="≥ 3.5x, ≥ 90 % of the limit, < 1 % throttled",
        least=3.5,
        within={"ours % of the limit": (90, 100), "ours % throttled": (0, 1)},
        peer_name="boto3 PutRecords of single events, 500 a call",
        fairness=f"The same events and server; both put as fast as they are let, {_COUNTED_S:.0f} s after "
        f"{_WARM_UP_S:.0f} s that are not counted. The peer puts what was refused again, before anything new, after a wait "
        "that doubles while everything is refused; the shard's 1,000 records/s hold it back, and a longer wait would only "
        "lower its throttled share. Counted is the events' payload that Kinesis took. Ours keeps each user's order as well.",
        clock="wall",
        ours=publish,
        peer=put_singly,
        rounds=3,
    )


def sample() -> list[tuple[str, bytes]]:
    """(user, event of exactly ``EVENT_BYTES``): put round and round."""
    bare = len(events.encode(_event(0, "/")))
    return [
        (event.user_id, events.encode(event)) for event in (_event(n, "/" * (EVENT_BYTES - bare + 1)) for n in range(_USERS))
    ]


def _event(number: int, url: str) -> PageView:
    """Every field of the same length, whatever the number."""
    return PageView(
        event_id=f"0193{number:08x}-7000-7000-8000-{number:012x}",
        user_id=f"user-{number:05d}",
        session_id=f"session-{number:05d}",
        occurred_at=_START_MS + number,
        url=url,
    )


def publish() -> Reading:
    """Our publisher, which paces itself below the limits."""
    coming = itertools.cycle(sample())
    # a small buffer: what waits in it at the end must still be put
    limits = Limits(buffer_bytes=2 * 1024 * 1024)
    with stream(limits=True) as settings, KinesisPublisher(settings, limits) as publisher:

        def put_for(seconds: float) -> tuple[int, float]:
            before, started = publisher.counters.delivered, time.monotonic()
            while time.monotonic() < started + seconds:
                for user, data in itertools.islice(coming, 100):
                    publisher.put_raw(user, data)
            return publisher.counters.delivered - before, time.monotonic() - started

        put_for(_WARM_UP_S)
        delivered, spent = put_for(_COUNTED_S)
        publisher.flush()
        counters = publisher.counters
    return _reading(delivered, spent, refused=counters.throttled, taken=counters.records)


def put_singly() -> Reading:
    """PutRecords as most producers write it."""
    coming = itertools.cycle(sample())
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

        put_for(_WARM_UP_S)
        accepted, spent = put_for(_COUNTED_S)
    return _reading(accepted, spent, refused=tried - taken, taken=taken)


def _reading(events_taken: int, seconds: float, *, refused: int, taken: int) -> Reading:
    """``refused`` and ``taken`` are Kinesis records, over the whole run."""
    rate = per_second(events_taken * EVENT_BYTES, seconds)
    share = {"% of the limit": 100 * rate / _LIMIT_BYTES_PER_S, "% throttled": 100 * refused / (refused + taken)}
    return Reading(rate / 1e6, share)

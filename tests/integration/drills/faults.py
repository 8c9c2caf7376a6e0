"""What can be done to a site, a function each: it does the harm, says how to repair it and when the clock starts."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import msgspec

from tests.integration.drills.proxy import FAIR, Proxy, Weather
from tests.integration.drills.shards import now_ms
from tests.integration.drills.site import Site
from tests.integration.drills.workers import Worker, send

#: Longer than a lease: failover 2 s, and KCL looks every 4 s.
_LONGER_THAN_A_LEASE_S = 9.0


def nothing_to_repair() -> None:
    return


class Injected(msgspec.Struct, frozen=True, kw_only=True):
    """Harm done. The shards must move again while it lasts if it needs a ``repair``, which comes after."""

    what: str
    since_ms: int
    """From when on a shard could be expected to move: the harm itself, or the end of an outage that stops everything."""
    repair: Callable[[], None] = nothing_to_repair
    at_least_s: float = 0.0
    """The harm lasts at least so long before it is repaired."""


Fault = Callable[[Site, Random], Injected]


def _staffed(site: Site, random: Random) -> Worker:
    """A worker that has shards: to kill an idle one proves nothing."""
    return random.choice([worker for worker in site.workers if worker.is_running and worker.parts().shards])


# processes


def kill_supervisor(site: Site, random: Random) -> Injected:
    """The machine is gone: nobody starts the worker again until the others have taken over."""
    worker = _staffed(site, random)
    parts, since = worker.parts(), now_ms()
    send(signal.SIGKILL, [parts.supervisor])
    return Injected(what=f"worker {worker.name}, {len(parts.shards)} shards", since_ms=since, repair=lambda: _again(worker))


def _again(worker: Worker) -> None:
    worker.kill()
    worker.start()


def kill_jvm(site: Site, random: Random) -> Injected:
    worker = _staffed(site, random)
    parts, since = worker.parts(), now_ms()
    assert parts.jvm is not None
    send(signal.SIGKILL, [parts.jvm])
    return Injected(what=f"worker {worker.name}, {len(parts.shards)} shards", since_ms=since)


def kill_child(site: Site, random: Random) -> Injected:
    worker = _staffed(site, random)
    parts, since = worker.parts(), now_ms()
    send(signal.SIGKILL, [random.choice(parts.shards)])
    return Injected(what=f"worker {worker.name}, 1 of {len(parts.shards)} shards", since_ms=since)


def kill_zygote(site: Site, random: Random) -> Injected:
    worker = _staffed(site, random)
    parts, since = worker.parts(), now_ms()
    assert parts.zygote is not None
    send(signal.SIGKILL, [parts.zygote])
    return Injected(what=f"worker {worker.name}, {len(parts.shards)} shards", since_ms=since)


def stop_child(site: Site, random: Random) -> Injected:
    """KCL renews the lease of a shard whose process hangs, so nobody takes over: the clock starts when it goes on."""
    worker = _staffed(site, random)
    pid, held_s = random.choice(worker.parts().shards), random.uniform(2, _LONGER_THAN_A_LEASE_S)
    send(signal.SIGSTOP, [pid])
    time.sleep(held_s)
    since = now_ms()
    send(signal.SIGCONT, [pid])
    return Injected(what=f"worker {worker.name}, 1 shard, {held_s:.0f} s", since_ms=since)


def stop_jvm(site: Site, random: Random) -> Injected:
    """Its leases expire and are taken; then it goes on with shard processes that believe to own what they do not."""
    worker = _staffed(site, random)
    parts, since = worker.parts(), now_ms()
    assert parts.jvm is not None
    jvm = parts.jvm
    send(signal.SIGSTOP, [jvm])
    return Injected(
        what=f"worker {worker.name}, {len(parts.shards)} shards",
        since_ms=since,
        repair=lambda: send(signal.SIGCONT, [jvm]),
        at_least_s=_LONGER_THAN_A_LEASE_S,
    )


def stop_worker(site: Site, random: Random) -> Injected:
    """A machine that sleeps and wakes: commits that were under way arrive after the new owner's."""
    worker = _staffed(site, random)
    parts, since = worker.parts(), now_ms()
    send(signal.SIGSTOP, parts.all())
    return Injected(
        what=f"worker {worker.name}, {len(parts.shards)} shards",
        since_ms=since,
        repair=lambda: send(signal.SIGCONT, parts.all()),
        at_least_s=_LONGER_THAN_A_LEASE_S,
    )


def terminate(site: Site, random: Random) -> Injected:
    worker = _staffed(site, random)
    shards, since = len(worker.parts().shards), now_ms()
    code = worker.terminate()
    drained_s = (now_ms() - since) / 1000
    assert code == 0, f"a drained worker ends with 0, not {code}: {worker.log}"
    return Injected(
        what=f"worker {worker.name}, {shards} shards, drained in {drained_s:.1f} s", since_ms=since, repair=worker.start
    )


# the stream


def split(site: Site, random: Random) -> Injected:
    shards = site.shards.open()
    if len(shards) >= 6:
        return merge(site, random)
    shard = random.choice(shards)
    low, high = (int(shard["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending"))
    since = now_ms()
    site.clients.kinesis.split_shard(
        StreamName=site.settings.stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(random.randint(low + 1, high))
    )
    return Injected(what=f"{shard['ShardId'][-4:]}, at a random key", since_ms=since)


def merge(site: Site, random: Random) -> Injected:
    shards = site.shards.open()
    if len(shards) <= 3:
        return split(site, random)
    first = random.randrange(len(shards) - 1)
    left, right = (shard["ShardId"] for shard in shards[first : first + 2])
    since = now_ms()
    site.clients.kinesis.merge_shards(StreamName=site.settings.stream, ShardToMerge=left, AdjacentShardToMerge=right)
    return Injected(what=f"{left[-4:]} and {right[-4:]}", since_ms=since)


def kill_kinesis(site: Site, random: Random) -> Injected:
    down_s = random.uniform(0.5, 5)
    site.kill_kinesis()
    time.sleep(down_s)
    site.start_kinesis()
    return Injected(what=f"down for {down_s:.0f} s", since_ms=now_ms())


def kinesis_refuses(site: Site, random: Random) -> Injected:
    """Throttled reads and writes, server errors, and puts whose answer is lost: the publisher puts those again."""
    shard = random.choice(site.shards.open())["ShardId"]
    throttles = [{"kind": "throttle", "shard_id": shard, "reads": reads, "rate": 0.8} for reads in (True, False)]
    errors: list[dict[str, Any]] = [
        {"kind": "fail", "operation": operation, "error": "InternalFailureException", "count": None, "rate": rate}
        # KCL, as it comes, lists shards on the path of the records, and skips a batch for which it cannot (decision 9)
        for operation, rate in (("GetRecords", 0.5), ("PutRecords", 0.5), ("GetShardIterator", 0.5), ("ListShards", 1.0))
    ]
    lost_answers = {"kind": "fail", "operation": "PutRecords", "when": "after", "count": 5}
    lasts_s = random.uniform(3, 8)
    site.inject(*throttles, *errors, lost_answers)
    time.sleep(lasts_s)
    site.inject()
    return Injected(what=f"throttles, errors, lost answers for {lasts_s:.0f} s", since_ms=now_ms())


def poison(site: Site, random: Random) -> Injected:
    since = now_ms()
    count = _put_poison(site, random)
    return Injected(what=f"{count} records", since_ms=since)


def _put_poison(site: Site, random: Random) -> int:
    """Records that are no events, under keys that reach every shard; each is told from all others."""
    burst = [
        (f"poison-{random.getrandbits(64):x}", b'{"type":"poison","n":"%x"}' % random.getrandbits(64))
        for _ in range(random.randint(10, 60))
    ]
    answer = site.clients.kinesis.put_records(
        StreamName=site.settings.stream, Records=[{"PartitionKey": key, "Data": data} for key, data in burst]
    )
    assert answer["FailedRecordCount"] == 0, answer
    site.poison += burst
    return len(burst)


# the network


@contextmanager
def _weather(proxy: Proxy, weather: Weather, *, reset: bool = False) -> Iterator[None]:
    proxy.set(weather)
    if reset:
        proxy.reset()
    try:
        yield
    finally:
        proxy.set(FAIR)


def _outage(service: str) -> Fault:
    def fault(site: Site, random: Random) -> Injected:
        kind, weather = random.choice(
            [
                ("refused", Weather(refuse=True)),
                ("black hole", Weather(black_hole=True)),
                ("1 kB/s", Weather(bytes_per_s=1_000)),
            ]
        )
        lasts_s = random.uniform(2, 12)
        with _weather(site.proxies[service], weather, reset=weather.refuse):
            if service == "sqs":
                _put_poison(site, random)  # nobody calls it otherwise
            time.sleep(lasts_s)
        if weather.black_hole and random.random() < 0.5:
            site.proxies[service].reset()
        return Injected(what=f"{kind}, {lasts_s:.0f} s", since_ms=now_ms())

    return fault


def latency(site: Site, random: Random) -> Injected:
    """Everything is slow, nothing is down: the shards must move meanwhile."""
    slow_s = random.uniform(0.05, 0.25)

    def repair() -> None:
        for proxy in site.proxies.values():
            proxy.set(FAIR)

    for proxy in site.proxies.values():
        proxy.set(Weather(latency_s=slow_s))
    return Injected(what=f"{2 * slow_s * 1000:.0f} ms on every call", since_ms=now_ms(), repair=repair, at_least_s=5.0)


def resets(site: Site, random: Random) -> Injected:
    """Every connection of the workers breaks at once, three times."""
    for _ in range(3):
        for proxy in site.proxies.values():
            proxy.reset()
        time.sleep(random.uniform(0.1, 0.5))
    return Injected(what="all connections, 3 times", since_ms=now_ms())


FAULTS: dict[str, Fault] = {
    "kill -9 supervisor": kill_supervisor,
    "kill -9 JVM": kill_jvm,
    "kill -9 shard process": kill_child,
    "kill -9 zygote": kill_zygote,
    "stop shard process": stop_child,
    "stop JVM": stop_jvm,
    "stop worker": stop_worker,
    "SIGTERM worker": terminate,
    "split": split,
    "merge": merge,
    "kill -9 Kinesis": kill_kinesis,
    "Kinesis refuses": kinesis_refuses,
    "Kinesis unreachable": _outage("kinesis"),
    "DynamoDB unreachable": _outage("dynamodb"),
    "S3 unreachable": _outage("s3"),
    "SQS unreachable": _outage("sqs"),
    "latency everywhere": latency,
    "connections reset": resets,
    "poison burst": poison,
}

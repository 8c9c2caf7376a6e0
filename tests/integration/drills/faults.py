"""What can be done to a site's processes, stream and network, and all faults by name."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from tests.integration.drills import refusals, traffic
from tests.integration.drills.harm import Fault, Injected
from tests.integration.drills.rig.proxy import FAIR, Proxy, Weather
from tests.integration.drills.rig.shards import now_ms
from tests.integration.drills.rig.site import Site
from tests.integration.drills.rig.workers import Worker, send

#: Longer than a lease: failover 2 s, and KCL looks every 4 s.
_LONGER_THAN_A_LEASE_S = 9.0


def _staffed(site: Site, random: Random) -> Worker:
    """A worker that has shards: to kill an idle one proves nothing."""
    return random.choice([worker for worker in site.workers if worker.is_running and worker.parts().shards])


def _while_away(
    site: Site, worker: Worker, what: str, since_ms: int, repair: Callable[[], None], at_least_s: float = 0
) -> Injected:
    """The others of its application must take over meanwhile; where it is the only one, its absence is an outage."""
    if site.has_partner(worker):
        return Injected(what=what, since_ms=since_ms, repair=repair, at_least_s=at_least_s)
    time.sleep(at_least_s)
    repair()
    return Injected(what=f"{what}, alone", since_ms=now_ms())


# processes


def kill_supervisor(site: Site, random: Random) -> Injected:
    """The machine is gone: nobody starts the worker again until the others have taken over."""
    worker = _staffed(site, random)
    parts, since = worker.parts(), now_ms()
    send(signal.SIGKILL, [parts.supervisor])
    return _while_away(site, worker, f"worker {worker.name}, {len(parts.shards)} shards", since, lambda: _again(worker))


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
    what = f"worker {worker.name}, {len(parts.shards)} shards"
    return _while_away(site, worker, what, since, lambda: send(signal.SIGCONT, [jvm]), _LONGER_THAN_A_LEASE_S)


def stop_worker(site: Site, random: Random) -> Injected:
    """A machine that sleeps and wakes: commits that were under way arrive after the new owner's."""
    worker = _staffed(site, random)
    parts, since = worker.parts(), now_ms()
    send(signal.SIGSTOP, parts.all())
    what = f"worker {worker.name}, {len(parts.shards)} shards"
    return _while_away(site, worker, what, since, lambda: send(signal.SIGCONT, parts.all()), _LONGER_THAN_A_LEASE_S)


def terminate(site: Site, random: Random) -> Injected:
    worker = _staffed(site, random)
    shards, since = len(worker.parts().shards), now_ms()
    code = worker.terminate()
    drained_s = (now_ms() - since) / 1000
    assert code == 0, f"a drained worker ends with 0, not {code}: {worker.log}"
    what = f"worker {worker.name}, {shards} shards, drained in {drained_s:.1f} s"
    return _while_away(site, worker, what, since, worker.start)


def clock_steps(site: Site, random: Random) -> Injected:
    """One worker's wall clock is an hour off, and later right again: a step forward and a step back."""
    worker, hours = _staffed(site, random), random.choice([-1, 1])
    clock = worker.clock
    assert clock is not None, "there is no C compiler"
    clock.step(hours * 3600)
    return Injected(
        what=f"worker {worker.name}, {hours:+d} h and back",
        since_ms=now_ms(),
        repair=lambda: clock.step(0),
        at_least_s=_LONGER_THAN_A_LEASE_S,
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
                traffic.put_poison(site, random)  # nobody calls it otherwise
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
    "poison burst": traffic.poison,
    "malformed aggregates": traffic.malformed_aggregates,
    "ids that two users share": traffic.shared_ids,
    "clock steps": clock_steps,
    **refusals.FAULTS,
}

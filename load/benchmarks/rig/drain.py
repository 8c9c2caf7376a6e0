"""Events put as fast as they are taken, and folded by live workers: how long that takes and what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from clickstream import events
from clickstream.events import AnyEvent
from clickstream.infra.local.processes import Process
from clickstream.load.benchmarks.rig.site import Site, wait
from clickstream.load.benchmarks.rig.usage import cpu_seconds, descendants, is_java
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.limits import Limits
from clickstream.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

_PATIENCE_S = 240.0
#: The embedded Kinesis enforces no limits here, so the publisher need not pace itself.
UNPACED = Limits(shard_bytes_per_second=1e9, shard_records_per_second=1e6)
_CALL = 500


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the first put until every application had folded every event."""

    wall_s: float
    parts: Mapping[str, float]
    """CPU seconds by kind of process."""

    @property
    def cpu_s(self) -> float:
        """Of all processes that were watched."""
        return sum(self.parts.values())

    def per_event(self, events: int) -> dict[str, float]:
        """CPU microseconds an event, by kind of process."""
        return {f"{kind} CPU µs per event": 1e6 * seconds / events for kind, seconds in self.parts.items()}


def publish(settings: Settings, sample: Sequence[AnyEvent]) -> None:
    """Through our publisher."""
    with KinesisPublisher(settings, UNPACED) as publisher:
        for event in sample:
            publisher.put(event)


def put_plainly(kinesis: KinesisClient, stream: str, sample: Sequence[AnyEvent]) -> None:
    """As most producers do it: boto3's put_records, an event a record, 500 a call; what was refused is put again."""
    waiting: list[PutRecordsRequestEntryTypeDef] = [
        {"PartitionKey": event.user_id, "Data": events.encode(event)} for event in sample
    ]
    while waiting:
        call, waiting = waiting[:_CALL], waiting[_CALL:]
        answer = kinesis.put_records(StreamName=stream, Records=call)
        waiting += [record for record, place in zip(call, answer["Records"], strict=True) if "ErrorCode" in place]


def drain(put: Callable[[], None], done: Callable[[], bool], watched: Mapping[str, Sequence[Process]]) -> Spent:
    """Put, wait until all is folded, and count the CPU time of these processes, by kind, and all below them.

    JVMs are a kind of their own.
    """
    pids: dict[str, list[int]] = {}
    for kind, processes in watched.items():
        for pid in (pid for process in processes for pid in descendants(process.pid)):
            pids.setdefault("JVM" if is_java(pid) else kind, []).append(pid)
    before, began = {kind: cpu_seconds(those) for kind, those in pids.items()}, time.monotonic()
    put()
    wait(done, "the last event", _PATIENCE_S)
    wall_s = time.monotonic() - began
    return Spent(wall_s=wall_s, parts={kind: cpu_seconds(those) - before[kind] for kind, those in pids.items()})


def folded(site: Site, applications: Sequence[str]) -> int:
    """Events committed by the application that has fewest."""
    return min(sum(site.committed(application, "events").values()) for application in applications)

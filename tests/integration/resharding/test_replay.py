"""A real KCL worker and a publisher at full speed while the stream is split, merged and scaled: every answer equals pandas."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import msgspec
import pytest

from clickstream.events import AnyEvent, encode
from clickstream.load.driving.pace import Pace
from clickstream.load.replay import formats, replayer
from clickstream.load.traffic.shop.visitors import Visitors, shop_for
from clickstream.load.verdict import frames, oracle, progress, subjects, verification
from clickstream.load.verdict.comparers.aggregates import Truth
from clickstream.producers import lines
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.puts import Counters
from clickstream.settings import environment, from_env
from tests.integration.publisher.stream import delivered, merge_first, open_shards, split_first
from tests.integration.resharding.platform import DEADLINE_S, Platform

pytestmark = [pytest.mark.integration, pytest.mark.java]

_GENERATED = 20_000
_STALL_S = 60.0


class Input(msgspec.Struct, frozen=True):
    path: Path
    file_format: str
    events: int


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Input:
    """Real visitors where the data are, else simulated ones."""
    taobao = from_env().datasets / "taobao_userbehavior" / "UserBehavior.csv.gz"
    if taobao.is_file():
        return Input(taobao, "taobao", 96_168)
    visitors = Visitors(seed=4, shop=shop_for(100))
    path = tmp_path_factory.mktemp("traffic") / "events.ndjson"
    path.write_bytes(b"".join(encode(visitors.next_event(1_700_000_000_000 + 10 * n)) + b"\n" for n in range(_GENERATED)))
    return Input(path, "ndjson", _GENERATED)


class Recording:
    """A publisher that keeps what it was given: per user, in order."""

    def __init__(self, publisher: KinesisPublisher, first: int) -> None:
        self._publisher = publisher
        self._first = first
        self._put = 0
        self.resharded = Event()
        self.added: dict[str, list[bytes]] = defaultdict(list)

    def put(self, event: AnyEvent) -> None:
        if self._put == self._first:
            self.resharded.wait(DEADLINE_S)  # however fast the publisher is, some come after the last reshard
        self._put += 1
        self.added[event.user_id].append(encode(event))
        self._publisher.put(event)


def scale(target: int) -> Callable[[Any, str], None]:
    def apply(kinesis: Any, stream: str) -> None:
        kinesis.update_shard_count(StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
        kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})

    return apply


#: Open shards after each: 5, 6, 5, 4, then 4 → 8 → 3 in the steps that AWS takes.
RESHARDS = (split_first, split_first, merge_first, merge_first, scale(8), scale(4), scale(3))


def publish(platform: Platform, traffic: Input, worker: subprocess.Popen[bytes]) -> tuple[Recording, Counters]:
    """Replay at full speed, and reshard each time that another part of the events has arrived."""
    with KinesisPublisher(platform.settings) as publisher, lines.opened(str(traffic.path)) as source:
        part = traffic.events // (len(RESHARDS) + 2)
        recording = Recording(publisher, first=part * (len(RESHARDS) + 1))
        entries = formats.read(source.lines, formats.FORMATS[traffic.file_format]())
        thread = Thread(
            target=replayer.replay,
            args=(entries, recording, Pace(math.inf)),
            kwargs={"on_fault": lambda _fault: None, "on_sent": lambda _sent: None},
        )
        thread.start()
        try:
            for number, reshard in enumerate(RESHARDS, start=1):
                due = part * number
                platform.wait_until(partial(has_delivered, publisher, due), f"{due} events arrived", worker)
                reshard(platform.kinesis, platform.stream)
        finally:
            recording.resharded.set()
            thread.join(DEADLINE_S)
        publisher.flush(DEADLINE_S)
        return recording, publisher.counters


def has_delivered(publisher: KinesisPublisher, events: int) -> bool:
    return publisher.counters.delivered >= events


@pytest.mark.parametrize("retrieval", ["polling", "fanout"])
def test_a_replay_through_seven_reshards_equals_pandas(
    platform: Platform, traffic: Input, retrieval: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = time.monotonic()
    with platform.worker("--retrieval", retrieval) as worker:
        up = time.monotonic()
        recording, counters = publish(platform, traffic, worker)
        put = time.monotonic()
        with lines.opened(str(traffic.path)) as source:
            events = frames.from_lines(source.lines, traffic.file_format)
        assert len(events) == traffic.events
        expected = verification.Expectation(
            sent=counters.events,
            put=counters.delivered,
            events=events["event_id"].nunique(),
            dead_letters=0,
            flushed_ms=time.time_ns() // 1_000_000,
        )
        windows = oracle.aggregate(events)
        for name, value in environment(platform.settings).items():
            monkeypatch.setenv(name, value)  # the answers are asked for by a command
        subject = subjects.analytics(platform.clients, platform.settings, windows, lambda _counted: Truth(windows=windows))
        report = verification.verify(expected, {"analytics": subject}, stall_s=_STALL_S, on_progress=lambda _processed: None)
        verified = time.monotonic()
    shards = platform.counted().values()
    with capsys.disabled():
        sys.stderr.write(
            f"\n{retrieval}: worker up after {up - started:.1f} s, {traffic.events:,} events put in {put - up:.1f} s, answers "
            f"complete {verified - put:.1f} s later; {counters}; "
            f"{len(shards)} shards: {progress.counted(list(shards))}, foreign={sum(shard.foreign for shard in shards)}\n"
        )

    assert report.problems == []
    assert (report.processed, report.lost, report.wrong) == (traffic.events, 0, 0)
    assert (counters.events, counters.delivered, counters.failed) == (traffic.events, traffic.events, 0)
    assert counters.mispredicted > 0
    assert counters.reput > 0
    assert len(open_shards(platform.kinesis, platform.stream)) == 3
    # whichever way KCL treats an aggregate that a reshard overtook, each user's events are there once and in order
    for drops in (True, False):
        assert delivered(platform.kinesis, platform.stream, drops=drops) == recording.added
    assert platform.errors_of_kcl() == []

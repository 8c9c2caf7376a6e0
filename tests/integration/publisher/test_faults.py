"""Resharding under load, throttles, lost answers, a stream that goes away: nothing is lost and every user's order holds."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.errors import Missing, RetryLater, Throttled
from clickstream.producers.publisher.calls import put_records
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.limits import Limits
from clickstream.producers.publisher.packing import Records
from clickstream.producers.publisher.puts import CallFailed, Delivered, Failed, Put, Settled
from clickstream.settings import Settings
from tests.integration.publisher.stream import delivered, event, merge_first, open_shards, split_first
from tests.unit.producers.shards import parcel

pytestmark = pytest.mark.integration


def scale_to_four(kinesis: Any, stream: str) -> None:
    kinesis.update_shard_count(StreamName=stream, TargetShardCount=4, ScalingType="UNIFORM_SCALING")


def has_delivered(publisher: KinesisPublisher, count: int) -> bool:
    return publisher.counters.delivered >= count


@pytest.mark.parametrize("records", ["zstd", "gzip", "ndjson", "kpl", "single"])
def test_order_and_completeness_through_split_and_merge_under_load(settings: Settings, kinesis: Any, records: Records) -> None:
    limits = Limits(records=records, pack_bytes=4_096, linger=0.01)
    added: dict[str, list[bytes]] = defaultdict(list)
    settled: list[Settled] = []
    stop = threading.Event()

    def load(publisher: KinesisPublisher) -> None:
        number = 0
        while not stop.is_set():
            user = f"user-{number * 7919 % 101}"
            data = event(user, number)
            added[user].append(data)
            publisher.put_raw(user, data, settled.append)
            number += 1
            if number % 20 == 0:
                stop.wait(0.005)

    with KinesisPublisher(settings, limits) as publisher:
        thread = threading.Thread(target=load, args=(publisher,))
        thread.start()
        try:
            for reshard in (split_first, merge_first, split_first, split_first, merge_first, scale_to_four):
                reshard(kinesis, settings.stream)
                # a listing may tell of a reshard before a put meets it, so what counts is that events go on arriving
                until(partial(has_delivered, publisher, publisher.counters.delivered + 300))
        finally:
            stop.set()
            thread.join()
        publisher.flush(30)
        counters = publisher.counters
    assert all(isinstance(each, Delivered) for each in settled)
    assert len(settled) == counters.events == sum(map(len, added.values()))
    assert counters.failed == 0
    assert counters.mispredicted > 0
    assert (counters.reput > 0) == (records != "single")
    for drops in (True, False):
        assert delivered(kinesis, settings.stream, drops=drops) == added


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def test_throttles_and_lost_answers_lose_nothing(settings: Settings, kinesis: Any, faults: Callable[..., None]) -> None:
    first, second = (shard["ShardId"] for shard in open_shards(kinesis, settings.stream))
    faults(
        {"kind": "throttle", "shard_id": first, "stream": settings.stream, "rate": 0.3},
        {"kind": "throttle", "shard_id": second, "stream": settings.stream, "count": 5},
        {"kind": "fail", "operation": "PutRecords", "when": "after", "count": 3},
        {"kind": "fail", "operation": "PutRecords", "when": "before", "rate": 0.1, "count": 5},
    )
    added: dict[str, list[bytes]] = defaultdict(list)
    with KinesisPublisher(settings, Limits(pack_bytes=2_048, linger=0.01)) as publisher:
        for number in range(4_000):
            user = f"user-{number % 23}"
            added[user].append(event(user, number))
            publisher.put_raw(user, event(user, number))
        publisher.flush(60)
        counters = publisher.counters
    assert (counters.delivered, counters.failed) == (4_000, 0)
    # three of the second shard's five throttles at most are hidden by the three lost answers
    assert counters.throttled >= 2
    assert counters.retried >= counters.throttled + 3
    assert delivered(kinesis, settings.stream, drops=True) == added


def fill(publisher: KinesisPublisher) -> int:
    """Put without waiting until nothing more is taken; how many were."""
    for accepted in range(1_000):
        try:
            publisher.put_raw("user", bytes(1_000), timeout=0)
        except Throttled:
            return accepted
    raise AssertionError("the buffer has no bound")


def test_a_full_buffer_holds_the_caller_back(settings: Settings, kinesis: Any, faults: Callable[..., None]) -> None:
    for shard in open_shards(kinesis, settings.stream):
        faults({"kind": "throttle", "shard_id": shard["ShardId"], "stream": settings.stream})
    limits = Limits(buffer_bytes=100_000, record_bytes=60_000, pack_bytes=4_096)
    with KinesisPublisher(settings, limits) as publisher:
        accepted = fill(publisher)
        assert 50 < accepted < 100
        with pytest.raises(RetryLater):
            publisher.flush(0.1)
        waiting = threading.Thread(target=publisher.put_raw, args=("user", bytes(1_000)))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        faults()
        waiting.join(20)
        assert not waiting.is_alive()
        publisher.flush(20)
        assert publisher.counters.delivered == accepted + 1


def test_what_expires_is_reported(settings: Settings, kinesis: Any, faults: Callable[..., None]) -> None:
    for shard in open_shards(kinesis, settings.stream):
        faults({"kind": "throttle", "shard_id": shard["ShardId"], "stream": settings.stream})
    settled: list[Settled] = []
    with KinesisPublisher(settings, Limits(time_to_live=0.3, backoff_limit=0.1)) as publisher:
        publisher.put_raw("told", b"1", settled.append)
        publisher.put_raw("not told", b"2")
        with pytest.raises(RetryLater, match="1 events were not delivered"):
            publisher.flush(20)
    assert len(settled) == 1
    assert not isinstance(settled[0], Delivered)


def test_a_shard_is_filled_without_throttling(settings: Settings, kinesis: Any) -> None:
    with KinesisPublisher(settings) as publisher:
        # one user: one shard
        for number in range(12_000):
            publisher.put_raw("user", b"%-256d" % number)
        publisher.flush(30)
        counters = publisher.counters
    assert counters.delivered == 12_000
    assert counters.throttled < 0.01 * counters.records


def test_a_publisher_needs_its_stream(settings: Settings) -> None:
    with pytest.raises(Missing), KinesisPublisher(settings):
        pass


def test_a_stream_that_goes_away_fails_what_is_under_way_in_its_time(settings: Settings) -> None:
    command = [sys.executable, "-m", "clickstream.infra.local.kinesis", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        ready = re.search(r"ready on (\S+)", server.stderr.readline())
        assert ready is not None
        own = Settings(endpoint_url=ready.group(1), name=settings.name)
        Clients(own).kinesis.create_stream(StreamName=own.stream, ShardCount=1)
        settled: list[Settled] = []
        with KinesisPublisher(own, Limits(time_to_live=1.0, backoff_limit=0.2)) as publisher:
            publisher.put_raw("user", b"1", settled.append)
            publisher.flush(20)
            server.kill()
            server.wait()
            publisher.put_raw("user", b"2", settled.append)
            publisher.flush(20)
            spent = time.process_time()
            waited = threading.Event().wait(0.5)
            spent = time.process_time() - spent
    first, second = settled
    assert isinstance(first, Delivered)
    assert isinstance(second, Failed)
    assert isinstance(second.error, RetryLater)
    assert not waited
    assert spent < 0.25, "an idle publisher uses the processor"


def test_an_answer_that_breaks_off_within_its_headers_is_no_answer(settings: Settings) -> None:
    """Python's http.client takes their sudden end for the end of an answer without a body; a drill's kill -9 met that."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        broken = msgspec.structs.replace(
            settings, endpoint_urls={**settings.endpoint_urls, "kinesis": f"http://127.0.0.1:{listener.getsockname()[1]}"}
        )
        client = Clients(broken, attempts=1).kinesis

        def answer_half() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Ty")

        dying = threading.Thread(target=answer_half)
        dying.start()
        result = put_records(client, settings.stream, Put((parcel(b"data"),)))
        dying.join()
    assert isinstance(result, CallFailed)
    assert isinstance(result.error, RetryLater)

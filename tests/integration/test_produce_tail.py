"""The write side against the embedded Kinesis: commands, faults, and resharding under load."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import md5
from pathlib import Path
from typing import IO, Any

import pytest

from clickstream.aws import Clients
from clickstream.errors import Missing, RetryLater, Throttled
from clickstream.settings import Settings
from producers.kinesis import KinesisPublisher
from producers.limits import Limits
from producers.puts import Delivered, Failed, Settled

pytestmark = pytest.mark.integration

Environment = dict[str, str]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An embedded Kinesis that enforces the limits of shards."""
    command = [sys.executable, "-m", "infra.local.kinesis", "--port", "0", "--limits"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        ready = re.search(r"ready on (\S+)", server.stderr.readline())
        assert ready is not None
        yield ready.group(1)
        server.terminate()


@pytest.fixture
def settings(endpoint: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    # a stream of the test's own: its number in the session, since names are short
    return Settings(
        endpoint_url=endpoint, name=f"stream-{len(request.session.items)}-{request.session.items.index(request.node)}"
    )


@pytest.fixture
def kinesis(settings: Settings) -> Any:
    """A client, with a stream of two shards."""
    client = Clients(settings).kinesis
    client.create_stream(StreamName=settings.stream, ShardCount=2)
    return client


@pytest.fixture
def faults(endpoint: str) -> Iterator[Callable[..., None]]:
    """Puts faults in force; ends them with the test."""

    def send(method: str, body: bytes) -> None:
        request = urllib.request.Request(f"{endpoint}/_clickstream/faults", data=body, method=method)
        urllib.request.urlopen(request, timeout=10).close()

    yield lambda *each: send("POST", json.dumps(each).encode()) if each else send("DELETE", b"")
    send("DELETE", b"")


def clickstream(settings: Settings, *arguments: str, stdin: IO[bytes] | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "clickstream.cli", *arguments],
        env=environment(settings),
        stdin=stdin or subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


def environment(settings: Settings) -> Environment:
    assert settings.endpoint_url is not None
    return os.environ | {"CLICKSTREAM_NAME": settings.name, "AWS_ENDPOINT_URL": settings.endpoint_url}


def login(user: int, number: int) -> bytes:
    return json.dumps(
        {
            "type": "login",
            "event_id": f"e-{number}",
            "user_id": f"user-{user}",
            "session_id": "s",
            "occurred_at": 1_700_000_000_000 + number,
        }
    ).encode()


def by_user(lines: list[bytes]) -> dict[str, list[bytes]]:
    users: dict[str, list[bytes]] = defaultdict(list)
    for line in lines:
        users[json.loads(line)["user_id"]].append(line)
    return users


# -- reading as KCL and our shard loop read, with aws-kinesis-agg and none of our code


def delivered(kinesis: Any, stream: str, *, drops: bool) -> dict[str, list[bytes]]:
    path = sys.path[:]
    from aws_kinesis_agg.deaggregator import iter_deaggregate_records

    sys.path[:] = path
    users: dict[str, list[bytes]] = defaultdict(list)
    seen: set[bytes] = set()
    shards = [shard for page in kinesis.get_paginator("list_shards").paginate(StreamName=stream) for shard in page["Shards"]]
    # ids grow with age: parents come before their children
    for shard in sorted(shards, key=lambda shard: str(shard["ShardId"])):
        start, end = (int(shard["HashKeyRange"][f"{side}HashKey"]) for side in ("Starting", "Ending"))
        for record in records(kinesis, stream, shard["ShardId"]):
            members = [
                (
                    each["kinesis"]["partitionKey"],
                    base64.b64decode(each["kinesis"]["data"])
                    if "subSequenceNumber" in each["kinesis"]
                    else each["kinesis"]["data"],
                )
                for each in iter_deaggregate_records([record], data_format="Boto3")
            ]
            home = [start <= int.from_bytes(md5(key.encode()).digest(), "big") <= end for key, _ in members]
            if drops and not all(home):
                continue
            for (key, data), is_home in zip(members, home, strict=True):
                if is_home and data not in seen:
                    seen.add(data)
                    users[key].append(data)
    return users


def records(kinesis: Any, stream: str, shard_id: str) -> Iterator[dict[str, Any]]:
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    while iterator is not None:
        try:
            response = kinesis.get_records(ShardIterator=iterator)
        except kinesis.exceptions.ProvisionedThroughputExceededException:
            time.sleep(0.2)  # the server's own condition: five reads in a second
            continue
        yield from response["Records"]
        iterator = response.get("NextShardIterator") if response["MillisBehindLatest"] or response.get("ChildShards") else None


# -- commands


def test_what_is_produced_is_what_tail_shows(settings: Settings, kinesis: Any, tmp_path: Path) -> None:
    lines = [login(number % 37, number) for number in range(3_000)]
    file = tmp_path / "events.ndjson.gz"
    file.write_bytes(gzip.compress(b"\n".join(lines)))
    produced = clickstream(settings, "produce", str(file), "--json")
    assert produced.returncode == 0, produced.stderr
    summary = json.loads(produced.stdout)
    assert (summary["sent"], summary["delivered"], summary["rejected"], summary["failed"]) == (3_000, 3_000, 0, 0)
    assert summary["records"] < 100
    shown = clickstream(settings, "tail", "--since", "TRIM_HORIZON")
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert by_user(shown.stdout.splitlines()) == by_user(lines)


def test_a_wrong_line_is_reported_and_the_rest_goes_on(settings: Settings, kinesis: Any, tmp_path: Path) -> None:
    lines = [
        login(1, 1),
        b"{",
        login(2, 2).replace(b'"user-2"', b"7"),
        b"",
        login(3, 3),
        b'{"type":"login","big":"' + b"x" * 2**20,
    ]
    (tmp_path / "in").write_bytes(b"\n".join(lines))
    with (tmp_path / "in").open("rb") as stdin:
        produced = clickstream(settings, "produce", "-", "--no-aggregate", stdin=stdin)
    assert produced.returncode == 3
    reports = produced.stderr.decode().splitlines()
    assert [report.split(":")[0] for report in reports[:3]] == ["line 2", "line 3", "line 6"]
    assert "$.user_id" in reports[1]
    assert reports[-1] == "5 lines: 2 delivered in 2 records, 3 rejected, 0 failed"
    assert sorted(clickstream(settings, "tail").stdout.splitlines()) == [login(1, 1), login(3, 3)]


def test_a_dry_run_puts_nothing(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(login(1, 1) + b"\nnope\n")
    checked = clickstream(settings, "produce", str(tmp_path / "in"), "--dry-run", "--json")
    assert (checked.returncode, json.loads(checked.stdout)["sent"]) == (3, 1)


@pytest.mark.parametrize("command", [["produce"], ["tail"]])
def test_a_missing_stream_is_one_line_and_a_hint(settings: Settings, command: list[str]) -> None:
    answer = clickstream(settings, *command)
    assert answer.returncode == 1
    assert answer.stderr.decode().splitlines()[0] == f"clickstream: there is no stream {settings.stream!r}"
    assert answer.stderr.decode().splitlines()[1].startswith("hint: ")
    assert len(answer.stderr.decode().splitlines()) == 2


def test_tail_reports_what_is_no_event(settings: Settings, kinesis: Any) -> None:
    broken = b"\xf3\x89\x9a\xc2" + b"no protobuf and no digest"
    for data in (b"not json", broken, login(5, 5)):
        kinesis.put_record(StreamName=settings.stream, PartitionKey="user-5", Data=data)
    shown = clickstream(settings, "tail", "--since", "TRIM_HORIZON")
    assert shown.stdout == login(5, 5) + b"\n"
    first, second = shown.stderr.decode().splitlines()
    assert "not JSON" in first
    assert "wrong MD5" in second


def test_tail_follows_the_children_of_a_reshard(settings: Settings, kinesis: Any) -> None:
    lines = [login(number % 20, number) for number in range(200)]
    command = [sys.executable, "-m", "clickstream.cli", "tail", "--since", "TRIM_HORIZON", "--follow", "--limit", "200"]
    with subprocess.Popen(command, env=environment(settings), stdout=subprocess.PIPE) as tail:
        with KinesisPublisher(settings) as publisher:
            for start, reshard in ((0, split_first), (50, split_first), (100, merge_first), (150, None)):
                for line in lines[start : start + 50]:
                    publisher.put_raw(json.loads(line)["user_id"], line)
                publisher.flush(20)
                if reshard is not None:
                    reshard(kinesis, settings.stream)
        out, _ = tail.communicate(timeout=60)
    assert by_user(out.splitlines()) == by_user(lines)


# -- resharding and faults


def open_shards(kinesis: Any, stream: str) -> list[dict[str, Any]]:
    shards = kinesis.list_shards(StreamName=stream, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    return sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


def split_first(kinesis: Any, stream: str) -> None:
    shard = open_shards(kinesis, stream)[0]
    start, end = (int(shard["HashKeyRange"][f"{side}HashKey"]) for side in ("Starting", "Ending"))
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str((start + end) // 2))
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})


def merge_first(kinesis: Any, stream: str) -> None:
    left, right = open_shards(kinesis, stream)[:2]
    kinesis.merge_shards(StreamName=stream, ShardToMerge=left["ShardId"], AdjacentShardToMerge=right["ShardId"])
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})


def scale_to_four(kinesis: Any, stream: str) -> None:
    kinesis.update_shard_count(StreamName=stream, TargetShardCount=4, ScalingType="UNIFORM_SCALING")


def has_met_a_reshard(publisher: KinesisPublisher, mispredicted: int) -> bool:
    return publisher.counters.mispredicted > mispredicted


@pytest.mark.parametrize("aggregate", [True, False])
def test_order_and_completeness_through_split_and_merge_under_load(settings: Settings, kinesis: Any, aggregate: bool) -> None:
    limits = Limits(aggregate=aggregate, aggregate_bytes=4_096, linger=0.01)
    added: dict[str, list[bytes]] = defaultdict(list)
    settled: list[Settled] = []
    stop = threading.Event()

    def load(publisher: KinesisPublisher) -> None:
        number = 0
        while not stop.is_set():
            user = f"user-{number * 7919 % 101}"
            data = b"%d" % number
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
                mispredicted = publisher.counters.mispredicted
                reshard(kinesis, settings.stream)
                until(partial(has_met_a_reshard, publisher, mispredicted))
            known = publisher.counters.delivered
            until(lambda: publisher.counters.delivered > known + 200)
        finally:
            stop.set()
            thread.join()
        publisher.flush(30)
        counters = publisher.counters
    assert all(isinstance(each, Delivered) for each in settled)
    assert len(settled) == counters.events == sum(map(len, added.values()))
    assert counters.failed == 0
    assert (counters.reput > 0) == aggregate
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
    with KinesisPublisher(settings, Limits(aggregate_bytes=2_048, linger=0.01)) as publisher:
        for number in range(4_000):
            added[f"user-{number % 23}"].append(b"%d" % number)
            publisher.put_raw(f"user-{number % 23}", b"%d" % number)
        publisher.flush(60)
        counters = publisher.counters
    assert (counters.delivered, counters.failed) == (4_000, 0)
    assert counters.throttled >= 5
    assert counters.retried >= 8
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
    limits = Limits(buffer_bytes=100_000, record_bytes=60_000, aggregate_bytes=4_096)
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
    command = [sys.executable, "-m", "infra.local.kinesis", "--port", "0"]
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

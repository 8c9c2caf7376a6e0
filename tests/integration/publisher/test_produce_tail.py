"""``clickstream produce`` and ``clickstream tail`` against the embedded Kinesis."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest

from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.settings import RecordFormat, Settings
from tests.integration.publisher.stream import merge_first, open_shards, records, split_first

pytestmark = pytest.mark.integration

Environment = dict[str, str]


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
    return os.environ | {
        "CLICKSTREAM_NAME": settings.name,
        "CLICKSTREAM_RECORDS": settings.records,
        "AWS_ENDPOINT_URL": settings.endpoint_url,
    }


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


@pytest.mark.parametrize(
    ("setting", "magic"),
    [("zstd", b"\x28\xb5\x2f\xfd"), ("gzip", b"\x1f\x8b"), ("ndjson", b'{"'), ("kpl", b"\xf3\x89\x9a\xc2")],
)
def test_what_is_produced_as_is_set_is_what_tail_shows(
    settings: Settings, kinesis: Any, tmp_path: Path, setting: RecordFormat, magic: bytes
) -> None:
    settings = msgspec.structs.replace(settings, records=setting)
    lines = [login(number % 37, number) for number in range(3_000)]
    file = tmp_path / "events.ndjson.gz"
    file.write_bytes(gzip.compress(b"\n".join(lines)))
    produced = clickstream(settings, "produce", str(file), "--json")
    assert produced.returncode == 0, produced.stderr
    summary = json.loads(produced.stdout)
    assert (summary["sent"], summary["delivered"], summary["rejected"], summary["failed"]) == (3_000, 3_000, 0, 0)
    assert summary["records"] < 100
    shards = [shard["ShardId"] for shard in open_shards(kinesis, settings.stream)]
    put = [record["Data"] for shard in shards for record in records(kinesis, settings.stream, shard)]
    assert len(put) == summary["records"]
    assert all(data.startswith(magic) for data in put)
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
    assert "bad checksum" in second
    kinesis.put_record(StreamName=settings.stream, PartitionKey="user-5", Data=b"not json either")
    limited = clickstream(settings, "tail", "--since", "TRIM_HORIZON", "--limit", "1")
    assert (limited.stdout, limited.stderr) == (shown.stdout, shown.stderr), "nothing is said of what comes after the last one"


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

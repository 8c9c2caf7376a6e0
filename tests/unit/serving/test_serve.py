"""``clickstream serve`` over the real read model: the answers, the mistakes a person can make, and the end."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from moto import mock_aws
from starlette.testclient import TestClient

from clickstream.aws import Clients
from clickstream.cli import main
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.analytics.views import Aggregates
from clickstream.serving.app import create_app
from clickstream.settings import Settings
from tests.unit.serving import stores
from tests.unit.serving.shop import NOW

START = 1_795_521_600_000  # 2026-11-24T12:00:00Z


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "CLICKSTREAM_NAME"):
        monkeypatch.delenv(variable, raising=False)
    with mock_aws():
        yield Clients(Settings())


@pytest.fixture
def filled(clients: Clients) -> Clients:
    stores.create(clients, Settings())
    for number, shard in enumerate(stores.SHARDS):
        events = [event for visit in range(10) for event in stores.visits(10 * number + visit, START + 60_000 * visit)]
        stores.work(clients, Settings(), shard, events, NOW - 500)
    return clients


def test_the_api_answers_what_the_workers_wrote(filled: Clients) -> None:
    with TestClient(create_app(Aggregates(filled, Settings()), lambda: NOW), base_url="http://localhost") as client:
        hours: Any = client.get(f"/v1/aggregates?from={START}&to={START + 3_600_000}&top=1").json()["windows"]
        minutes: Any = client.get(f"/v1/aggregates?granularity=minute&from={START}&to={START + 3_600_000}").json()["windows"]
        progress: Any = client.get("/v1/progress").json()["progress"]

    (hour,) = hours
    assert hour["counts"] == {"product_view": 60, "purchase": 20, "search": 20}
    assert (hour["events"], hour["orders"], hour["revenue"]) == (100, 20, {"EUR": 25_000})
    assert round(hour["uniques"]["value"]) == 20
    # nobody put anything into a cart, and only after that would a purchase count
    assert hour["funnel"] == {"view": 20, "cart": 0, "purchase": 0}
    assert hour["searches"] == [["atlas", 20]]
    assert hour["bought"] == [["p0", 20]]
    assert [window["events"] for window in minutes] == [10] * 10
    assert [(row["application"], row["shard"], row["owner"], row["events"], row["dead_letters"]) for row in progress] == [
        ("analytics", stores.SHARDS[0], "worker-0", 50, 1),
        ("analytics", stores.SHARDS[1], "worker-1", 50, 1),
    ]
    assert {row["age_ms"] for row in progress} == {500}


def test_query_prints_the_same_json_as_the_api(filled: Clients, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["query", "aggregates", "--json", "--granularity", "minute", "--from", str(START), "--to", str(START + 3_600_000)])
    assert ended.value.code == 0
    with TestClient(create_app(Aggregates(filled, Settings()), lambda: NOW), base_url="http://localhost") as client:
        answer = client.get(f"/v1/aggregates?granularity=minute&from={START}&to={START + 3_600_000}").json()
    assert json.loads(capsys.readouterr().out) == answer


def test_a_table_that_is_dropped_is_503(filled: Clients) -> None:
    filled.dynamodb.delete_table(TableName=AGGREGATES.of(Settings()))
    with TestClient(create_app(Aggregates(filled, Settings()), lambda: NOW), base_url="http://localhost") as client:
        answer = client.get("/v1/aggregates")
    assert answer.status_code == 503
    assert answer.json()["hint"]


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a failing ``clickstream serve`` says: one line and a hint."""
    with pytest.raises(SystemExit) as ended:
        main(["serve", *arguments])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["clickstream", "hint"]
    return said.err


def test_missing_tables(clients: Clients, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no table clickstream-shards" in complaint(["--port", "0"], capsys)


def test_a_taken_port(filled: Clients, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"port {port} is taken" in complaint(["--port", str(port)], capsys)


def test_an_address_that_others_can_reach_needs_a_token_of_ones_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One made at the start would stand in a log, and be another for each task."""
    monkeypatch.delenv("CLICKSTREAM_DASHBOARD_TOKEN", raising=False)
    assert "CLICKSTREAM_DASHBOARD_TOKEN" in complaint(["--host", "0.0.0.0", "--allow-remote"], capsys)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "shop.example"])
def test_an_address_others_can_reach_must_be_meant(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--allow-remote" in complaint(["--host", host], capsys)


def test_a_dynamodb_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    assert "AWS_ENDPOINT_URL" in complaint(["--port", "0"], capsys)


#: The real command in a process of its own; the stores are moto in that process.
PROGRAM = """
from moto import mock_aws
from clickstream.aws import Clients
from clickstream.cli import main
from clickstream.settings import Settings
from tests.unit.serving import stores
with mock_aws():
    stores.create(Clients(Settings()), Settings())
    main(["serve", "--port", "0"])
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_although_a_page_is_open(number: signal.Signals, code: int) -> None:
    environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "PYTHONPATH": "."}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            ready = process.stderr.readline()
            assert re.fullmatch(r"serving on http://127\.0\.0\.1:\d+/\n", ready)
            page = http.client.HTTPConnection(urlsplit(ready.split()[-1]).netloc, timeout=10)
            page.request("GET", "/v1/live/pipeline")
            stream = page.getresponse()
            assert stream.status == 200
            assert stream.readline().startswith(b"id: ")
            process.send_signal(number)
            # sooner than the server would wait for a connection that does not end
            out, err = process.communicate(timeout=8)
            stream.read()
            page.close()
        finally:
            process.kill()
    # click ends the line that the terminal has begun with ^C
    assert (process.returncode, out, err.strip()) == (code, "", "")

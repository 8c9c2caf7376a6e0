"""The Python client against a server that answers from a script: what is sent again, when, and under which id."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from clickstream.envelope import PageView
from clickstream.errors import RetryLater, UserMistake
from clickstream.producers.client import CollectorClient
from tests.unit.collector.conftest import NOW, event

Script = list[tuple[int, dict[str, str], list[str]]]


class Server(ThreadingHTTPServer):
    """Answers by its script: (status, headers, the events' statuses); notes what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: Script = []
        self.seen: list[list[dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        body = json.loads(gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))))
        server.seen.append(body)
        server.headers.append(dict(self.headers))
        status, headers, statuses = server.script.pop(0)
        answers = [{"event_id": each["event_id"], "status": said} for each, said in zip(body, statuses, strict=False)]
        content = json.dumps({"events": answers} if answers else {"error": "no"}).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # which is asked for no collector on this machine
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Sleeper:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def client(server: Server, sleeper: Sleeper, key: str = "") -> CollectorClient:
    return CollectorClient(f"http://127.0.0.1:{server.server_address[1]}", key, sleep=sleeper.sleep, clock=lambda: sleeper.now)


def test_only_what_is_to_be_repeated_is_and_under_its_id(server: Server) -> None:
    sleeper = Sleeper()
    server.script = [(503, {"Retry-After": "3"}, ["accepted", "retry", "rejected"]), (429, {}, []), (200, {}, ["accepted"])]
    unnamed = {name: value for name, value in event().items() if name != "event_id"}
    outcomes = client(server, sleeper, "ck_x").send([event(), unnamed, event(event_id="c")])
    assert [outcome.status for outcome in outcomes] == ["accepted", "accepted", "rejected"]
    assert [len(sent) for sent in server.seen] == [3, 1, 1]
    assert server.seen[0][1] == server.seen[1][0] == server.seen[2][0]
    assert outcomes[1].event_id == server.seen[0][1]["event_id"]
    assert sleeper.now >= 3
    assert server.headers[0]["Authorization"] == "Bearer ck_x"


def test_large_lists_go_in_parts(server: Server) -> None:
    server.script = [(200, {}, ["accepted"] * 500), (207, {}, ["accepted"] * 99 + ["rejected"])]
    outcomes = client(server, Sleeper()).send([event(event_id=f"e-{n}") for n in range(600)])
    assert [len(sent) for sent in server.seen] == [500, 100]
    assert [outcome.event_id for outcome in outcomes] == [f"e-{n}" for n in range(600)]


def test_the_deadline_ends_it(server: Server) -> None:
    sleeper = Sleeper()
    server.script = [(503, {"Retry-After": "2"}, [])] * 20
    with pytest.raises(RetryLater):
        client(server, sleeper).send([event()], deadline=20)
    assert sleeper.now <= 20
    assert len(server.seen) > 2


def test_nobody_there_is_waited_for(server: Server) -> None:
    sleeper = Sleeper()
    with pytest.raises(RetryLater):
        CollectorClient("http://127.0.0.1:9", sleep=sleeper.sleep, clock=lambda: sleeper.now).send([event()], deadline=5)


def test_a_wrong_key_is_the_callers_mistake(server: Server) -> None:
    server.script = [(401, {}, [])]
    with pytest.raises(UserMistake, match="401 no"):
        client(server, Sleeper()).send([event()])


def test_an_event_may_be_a_struct(server: Server) -> None:
    server.script = [(200, {}, ["accepted"])]
    outcomes = client(server, Sleeper()).send([PageView(event_id="e-1", user_id="u", session_id="s", occurred_at=NOW, url="/")])
    assert [outcome.status for outcome in outcomes] == ["accepted"]
    assert server.seen[0][0] == {
        **{"type": "page_view", "event_id": "e-1", "user_id": "u", "session_id": "s", "occurred_at": NOW, "url": "/"},
        **{"schema_version": 2, "context": {"ip": "", "device": "", "country": "", "referrer": ""}},
    }

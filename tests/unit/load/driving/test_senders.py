"""Over HTTP: each event's own answer is read, a user's order is kept, what must be sent again is, and bad records go alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clickstream import events
from clickstream.errors import Rejected, UserMistake
from clickstream.load.driving import senders
from clickstream.load.driving.driver import Acknowledgements
from clickstream.load.driving.senders import ViaHttp
from clickstream.load.traffic.faults import Emission
from clickstream.load.traffic.plan import Plan

T0 = 1_700_000_000_000


class Door(ThreadingHTTPServer):
    """A server that answers as a collector does: ``turned_away`` requests first get a 503."""

    daemon_threads = True

    def __init__(self, turned_away: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.turned_away = turned_away
        self.taken: list[bytes] = []
        self.bodies: list[list[bytes]] = []
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        door = self.server
        assert isinstance(door, Door)
        lines = self.rfile.read(int(self.headers["Content-Length"])).split(b"\n")
        with door.lock:
            if door.turned_away:
                door.turned_away -= 1
                self._answer(503, ["retry"] * len(lines))
                return
            statuses = []
            for line in lines:
                try:
                    events.decode(line)
                except Rejected:
                    statuses.append("rejected")
                else:
                    statuses.append("accepted")
                    door.taken.append(line)
            door.bodies.append(lines)
        if statuses == ["rejected"] and len(lines[0]) > 1_000_000:
            self._answer(413, [])
        else:
            self._answer(200 if "rejected" not in statuses else 207, statuses)

    def _answer(self, code: int, statuses: list[str]) -> None:
        body = json.dumps({"events": [{"event_id": "e", "status": status} for status in statuses]}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Not on stderr."""


@contextmanager
def _door(turned_away: int = 0) -> Iterator[tuple[Door, str]]:
    with Door(turned_away) as door:
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield door, f"http://127.0.0.1:{door.server_address[1]}"
        finally:
            door.shutdown()
            thread.join()


def _emissions() -> list[Emission]:
    plan = Plan(rate=1_000, duration_s=1, seed=4, is_checked_at_the_door=True, profile="black-friday")
    return [emission for _, emission in plan.emissions(T0)]


def test_events_are_acknowledged_one_by_one_in_their_users_order_and_bad_ones_go_alone() -> None:
    emissions = [*_emissions(), Emission("oversized", "u", b'{"url":"%s"}' % (b"x" * 1_100_000))]
    good = [emission.data for emission in emissions if emission.event is not None]
    acknowledgements = Acknowledgements()
    with _door() as (door, url):
        sender = ViaHttp(url, "", acknowledgements)
        for emission in emissions:
            sender.send(emission, time.monotonic())
        sender.flush(20)

    assert acknowledgements.count == len(good) == len(door.taken)
    assert acknowledgements.refused == len(emissions) - len(good) > 1
    assert acknowledgements.failed == 0
    by_user: dict[str, list[str]] = {}
    for data in door.taken:
        by_user.setdefault(events.decode(data).user_id, []).append(events.decode(data).event_id)
    sent: dict[str, list[str]] = {}
    for emission in emissions:
        if emission.event is not None:
            sent.setdefault(emission.key, []).append(emission.event.event_id)
    assert by_user == sent
    assert max(map(len, door.bodies)) > 1, "events travel together"
    bad = {emission.data for emission in emissions if emission.event is None}
    assert all(len(body) == 1 for body in door.bodies if body[0] in bad)


def test_what_the_collector_asks_for_again_is_sent_again_and_waiting_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "_PAUSE_S", 0.05)
    acknowledgements = Acknowledgements()
    emission = next(each for each in _emissions() if each.event is not None)
    with _door(turned_away=2) as (door, url):
        sender = ViaHttp(url, "", acknowledgements)
        sender.send(emission, time.monotonic())
        sender.flush(20)

    assert door.taken == [emission.data]
    assert acknowledgements.count == 1
    assert acknowledgements.latency.get_max_value() >= 100_000


def test_a_collector_that_is_not_there_is_a_failure_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "_TRYING_S", 0.1)
    monkeypatch.setattr(senders, "_PAUSE_S", 0.05)
    acknowledgements = Acknowledgements()
    with _door() as (_, url):
        pass
    sender = ViaHttp(url, "", acknowledgements)
    sender.send(next(each for each in _emissions() if each.event is not None), time.monotonic())
    sender.flush(20)

    assert (acknowledgements.failed, acknowledgements.count) == (1, 0)
    assert "in time" in acknowledgements.first_failure


def test_an_address_that_is_none_is_the_users_mistake() -> None:
    with pytest.raises(UserMistake, match="no http address"):
        ViaHttp("kinesis", "", Acknowledgements())

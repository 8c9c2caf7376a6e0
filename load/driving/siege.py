"""What a hostile client does beside sending records: it besieges the collector, and writes onto the stream past every door.

One thread and a few connections, as long as a run lasts. Each request's answer is held against what it must be by its making.
"""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from clickstream.aws import Clients
from clickstream.errors import RetryLater
from clickstream.load.driving.driver import Acknowledgements
from clickstream.load.driving.report import RunReport
from clickstream.load.traffic import bounds
from clickstream.load.traffic.hostility import event_of
from clickstream.load.traffic.unreadable_aggregates import unreadable_aggregates
from clickstream.load.traffic.unreadable_blocks import unreadable_blocks
from clickstream.load.verdict.ledger import Door
from clickstream.load.verdict.send_log import Rejected, SendLog, digest
from clickstream.settings import Settings

_EVERY_S = 0.1
_TIMEOUT_S = 30.0
_LATER = (408, 429, 503)
_TRIES = 20
_MOST_STALLED = 40
_SHOWN = 20
_HEAD = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_STALLS = (b"", b"P", _HEAD, _HEAD + b"X-Slow: ", _HEAD + b"Content-Length: 100000\r\n\r\n[")


class Siege:
    """See the module. ``url`` may be of a collector that is not there: then the stream alone is besieged."""

    def __init__(self, settings: Settings, url: str, key: str, now_ms: Callable[[], int]) -> None:
        self.log = SendLog()
        self.acknowledgements = Acknowledgements()
        self._unreadable = (*unreadable_aggregates(), *unreadable_blocks())
        self._asked = 0
        self._wrong: list[str] = []
        self._now_ms = now_ms
        self._clients, self._stream = Clients(settings), settings.stream
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._stalled: list[socket.socket] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="siege", daemon=True)

    @contextmanager
    def laid(self) -> Iterator[None]:
        """As long as the block lasts."""
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    @property
    def door(self) -> Door:
        return Door(asked=self._asked, stalled=len(self._stalled), wrong=self._wrong[:_SHOWN])

    def report(self) -> RunReport:
        """Its part of what the run sent."""
        answers = self.acknowledgements
        return RunReport(
            log=self.log, latency=answers.latency.encode(), seconds=[], put=answers.count, refused=0, failed=answers.failed,
            reason=answers.first_failure,
        )  # fmt: skip

    def _run(self) -> None:
        is_there = self._is_there()
        acts = self._acts(is_there)
        try:
            while not self._over.wait(_EVERY_S):
                next(acts)()
        finally:
            for each in self._stalled:
                each.close()

    def _is_there(self) -> bool:
        try:
            return self._request("GET", "/healthz", b"", {})[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _acts(self, is_there: bool) -> Iterator[Callable[[], None]]:
        """One after the other, for ever."""
        turn = 0
        while True:
            name = f"siege-{self._now_ms()}-{turn}"
            for number, case in enumerate(bounds.cases(name) if is_there else range(len(self._unreadable))):
                turn += 1
                if isinstance(case, bounds.Case):
                    yield lambda case=case, name=f"{name}-{number}": self._ask(case, name)  # type: ignore[misc]
                if turn % 10 == 0 and is_there:
                    yield self._stall if turn % 20 else lambda turn=turn: self._throw(turn // 20)  # type: ignore[misc]
                if turn % 15 == 0 or not is_there:
                    yield lambda turn=turn: self._put(turn)  # type: ignore[misc]

    def _ask(self, case: bounds.Case, name: str) -> None:
        """A document alone: taken, or refused with the path of its fault."""
        at_ms = self._now_ms()
        fields = bounds.laid_over(case, name, at_ms)
        status, answer = self._posted(bounds.encoded(fields), {"Content-Type": "application/json"})
        self._asked += 1
        if not case.path:
            self.log.record(event_of(fields), at_ms)
            if status == 200:
                self.acknowledgements.deliver(time.monotonic())
            else:
                self.acknowledgements.fail(RetryLater(f"the collector says {status} to {case.name}"))
                self._wrong.append(f"{case.name}: {status} for an event within its bounds")
            return
        if case.name in _MADE_GOOD:
            fields["event_id"] = (answer.get("events") or [{}])[0].get("event_id", "")
            self.log.record(event_of(fields), at_ms)
            self.acknowledgements.deliver(time.monotonic())
        paths = [error.get("path") for event in answer.get("events", ()) for error in event.get("errors", ())]
        expected = 200 if case.name in _MADE_GOOD else 422
        if status != expected and not (case.path == "$" and status == 400):
            self._wrong.append(f"{case.name}: {status}")
        elif status == 422 and not any(str(path).startswith(case.path) for path in paths):
            self._wrong.append(f"{case.name}: refused for {paths}, not for {case.path}")

    def _throw(self, turn: int) -> None:
        """A whole request that no collector may take, nor be brought down by."""
        zipped = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        requests: tuple[tuple[bytes, dict[str, str], tuple[int, ...]], ...] = (
            (gzip.compress(bytes(50_000_000), 1), zipped, (413,)),
            (gzip.compress(b'[{"type":"login"},' + b" " * 4_000_000, 1)[:-9], zipped, (400, 413)),
            (b"x" * 2_000_000, {"Content-Type": "application/json"}, (413,)),
            (b"[" * 50_000, {"Content-Type": "application/json"}, (400,)),
            (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, (415,)),
            (b"[" + b"{}," * 5_000 + b"{}]", {"Content-Type": "application/json"}, (413,)),
            (b"", {"Content-Type": "application/x-ndjson"}, (400,)),
        )
        body, headers, expected = requests[turn % len(requests)]
        status, _ = self._posted(body, headers)
        self._asked += 1
        if status not in (*expected, 0):
            self._wrong.append(f"request {turn % len(requests)} of those that none may take: {status}, not one of {expected}")

    def _stall(self) -> None:
        """A connection that stops in the middle of a request, and stays."""
        if len(self._stalled) == _MOST_STALLED:
            return
        try:
            connection = socket.create_connection(self._address, timeout=_TIMEOUT_S)
            connection.sendall(_STALLS[len(self._stalled) % len(_STALLS)])
        except OSError:
            return  # it may refuse those, as long as it serves the others
        self._stalled.append(connection)

    def _put(self, turn: int) -> None:
        # a record like any other would be a repetition of letters that cannot be told apart
        data = self._unreadable[turn % len(self._unreadable)]
        key = f"siege-{self._now_ms()}-{turn}"
        self._clients.kinesis.put_record(StreamName=self._stream, Data=data, PartitionKey=key)
        self.log.raw.append(Rejected(key, digest(data), "$"))
        self.acknowledgements.deliver(time.monotonic())

    def _posted(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """(status, answer), asked again while the collector says later; status 0: it hung up, as it may on a refused body."""
        for _ in range(_TRIES):
            try:
                status, content = self._request("POST", "/v1/events", body, headers)
            except (OSError, http.client.HTTPException):
                status, content = 0, b""
            if status not in _LATER and not (status == 0 and len(body) < 1_000_000):
                break
            time.sleep(_EVERY_S)
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {}
        return status, answer if isinstance(answer, dict) else {}

    def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, body, self._headers | headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


#: The door gives an id to an event that has none.
_MADE_GOOD = ("event_id: ''", "event_id: None", "no event_id")

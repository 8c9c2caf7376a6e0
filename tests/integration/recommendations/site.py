"""A stream, the recommendations' worker and the API: what the recommender is measured on from outside."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.recommendations import NAME
from clickstream.infra.local import resources, stack
from clickstream.infra.local.processes import Children, wait_until
from clickstream.load.verdict import progress
from clickstream.settings import Settings, child_environment, environment

#: A busy machine is slow, not wrong.
_PATIENCE_S = 240.0


class Shown(msgspec.Struct, frozen=True):
    """An item of an answer."""

    product_id: str


class Answer(msgspec.Struct, frozen=True):
    """What the API says, as far as it matters here."""

    personal: bool
    model: str | None
    made_at: int | None
    items: list[Shown]


class Api:
    """One connection that stays open; for one thread."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def of(self, user_id: str) -> Answer:
        return self.get(f"/v1/recommendations/{quote(user_id, safe='')}")

    def get(self, path: str) -> Answer:
        try:
            answer = self._ask(path)
        except http.client.RemoteDisconnected:  # a server closes a connection that was idle for some seconds
            self._http.close()
            answer = self._ask(path)
        body = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"the API answers {answer.status}: {body[:200]!r}")
        return msgspec.json.decode(body, type=Answer)

    def _ask(self, path: str) -> http.client.HTTPResponse:
        self._http.request("GET", path)
        return self._http.getresponse()

    def close(self) -> None:
        self._http.close()


class Site:
    """A stream under the recommendations application, with its API."""

    def __init__(self, settings: Settings, children: Children, folder: Path) -> None:
        self.settings = settings
        self.clients = Clients(settings)
        self._children = children
        self._folder = folder
        self._environment = environment(settings, child_environment({}))
        (self.port,) = stack.claim((0, "--port"))

    def serve(self) -> None:
        self._start("serve", "serve", "--port", str(self.port))
        self.wait_until(lambda: stack.answers(self.port, "/healthz"), "serve")

    def worker(self) -> None:
        """Returns when every open shard has an owner that has reported since the start."""
        since_ms = time.time_ns() // 1_000_000
        self._start("worker", "worker", NAME, "-w", "w1")
        shards = len(self.clients.kinesis.list_shards(StreamName=self.settings.stream)["Shards"])

        def owned() -> bool:
            rows = [row for row in self.shards() if row.ended or row.updated_at >= since_ms]
            return len(rows) == shards

        self.wait_until(owned, "the worker")

    def _start(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "clickstream.cli", *arguments]
        self._children.start(name, command, environment=self._environment, log=self._folder / f"{name}.log")

    def run(self, *arguments: str) -> bytes:
        """Run a command to its end; returns its stdout. Raises RuntimeError."""
        command = [sys.executable, "-m", "clickstream.cli", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
        return done.stdout

    def shards(self) -> Sequence[progress.ShardProgress]:
        return progress.read(self.clients.dynamodb, self.settings, NAME)

    def folded(self) -> int:
        """Events that the application has committed, their effects visible."""
        return progress.counted(self.shards()).events

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        wait_until(condition, what, time.monotonic() + _PATIENCE_S, check=self._children.check)


@contextmanager
def running(folder: Path, *, shards: int, settings: Settings | None = None) -> Iterator[Site]:
    """A site with its stream and tables, on an embedded AWS of its own unless ``settings`` lead to one."""
    with Children(grace=15) as children:
        if settings is None:
            settings = stack.launch(children, folder, ports=stack.FREE).settings
        settings = msgspec.structs.replace(settings, local_dir=folder)
        site = Site(settings, children, folder)
        resources.create(site.clients, settings, shards=shards)
        try:
            yield site
        finally:
            stack.remove_scratch(folder)

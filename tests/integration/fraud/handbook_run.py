"""Transactions through Kinesis and KCL, with a ``kill -9`` and a split in the middle."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clickstream.aws import Clients
from clickstream.events import AnyEvent
from clickstream.infra.local import resources
from clickstream.load.verdict import progress
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.settings import Settings, environment
from tests.integration.fraud.handbook_stream import NAME
from tests.integration.publisher.stream import split_first

FLUSH_S = 120.0


class Run:
    """``computed``: the folder that the application writes to. ``deadline_s``: for each thing that is waited for."""

    def __init__(self, settings: Settings, folder: Path, *, shards: int, deadline_s: float) -> None:
        self.settings = settings
        self.clients = Clients(settings)
        self.computed = folder / "computed"
        self.computed.mkdir()
        self._log = folder / "worker.log"
        self._deadline_s = deadline_s
        resources.create(self.clients, settings, shards=shards)

    def through(self, events: Sequence[AnyEvent], say: Callable[[str], None] = lambda _: None) -> None:
        """Put all events; a worker is killed after a third of them, and a shard split after two thirds."""
        third = len(events) // 3
        with KinesisPublisher(self.settings) as publisher:

            def put(some: Sequence[AnyEvent]) -> None:
                for event in some:
                    publisher.put(event)
                publisher.flush(FLUSH_S)

            with self._worker("first") as worker:
                put(events[:third])
                self._wait(lambda: self.folded() >= third // 2, "half of the first third", worker)
            say(f"killed the worker at {self.folded():,} of {third:,} events, committed")
            with self._worker("second") as worker:
                put(events[third : 2 * third])
                self._wait(lambda: self.folded() >= third, "the first third", worker)
                split_first(self.clients.kinesis, self.settings.stream)
                say(f"split a shard at {self.folded():,} of {2 * third:,} events, committed")
                put(events[2 * third :])
                self._wait(lambda: self.folded() == len(events), f"all {len(events):,} events", worker)
        say(f"folded {self.folded():,} events on {len(self._shards())} shards")

    def folded(self) -> int:
        """Events in the shards' commits."""
        return sum(shard.events for shard in self._shards())

    def _shards(self) -> list[progress.ShardProgress]:
        return progress.read(self.clients.dynamodb, self.settings, NAME)

    @contextmanager
    def _worker(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """A real KCL worker of the application, killed with its JVM and its shards' processes at the end."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.fraud.handbook_worker", str(self.computed), name],
                env=environment(self.settings),  # an application of the test's own has no role
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _wait(self, condition: Callable[[], bool], what: str, worker: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self._deadline_s
        while not condition():
            assert worker.poll() is None, f"the worker died:\n{self._log.read_text()}"
            assert time.monotonic() < deadline, f"not in time: {what}; {self.folded():,} folded\n{self._log.read_text()}"
            time.sleep(0.1)

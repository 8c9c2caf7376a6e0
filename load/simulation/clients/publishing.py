"""A machine that publishes: the real publisher's rules, and the driver that carries out what they say."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf

from clickstream.errors import Rejected, RetryLater
from clickstream.load.simulation.aws.stream import Stream
from clickstream.load.simulation.fleet.scheduler import Process, Scheduler, Task
from clickstream.producers.publisher.limits import Limits
from clickstream.producers.publisher.puts import Delivered, Failed, Put, PutResult
from clickstream.producers.publisher.rules import Publisher


class Ticket:
    """An event on its way through one publisher; ``settled`` is called with whether Kinesis has it."""

    __slots__ = ("settled",)

    def __init__(self, settled: Callable[[bool], None]) -> None:
        self.settled = settled


class PublisherMachine:
    """From its start to its crash. What it had accepted and not acknowledged at the crash is in doubt."""

    def __init__(
        self, scheduler: Scheduler, stream: Stream, process: Process, limits: Limits, seed: int, *, may_reject: bool
    ) -> None:
        self._may_reject = may_reject
        self.process = process
        self._scheduler = scheduler
        self._stream = stream
        self._tickets: dict[Ticket, None] = {}
        self._core = Publisher(stream.shards(), limits, seed=seed)
        self._driver: Task = process.spawn(self._drive, "driver")
        self._sleeps_until = -inf
        process.when_dead.append(self._died)

    @property
    def pending(self) -> int:
        return self._core.pending

    @property
    def _now(self) -> float:
        return self._scheduler.now / 1000

    def put(self, key: str, data: bytes, ticket: Ticket | None) -> bool:
        """Accept an event; False when the machine is down or full."""
        if not self.process.alive or not self._core.add(key, data, self._now, ticket):
            return False
        if ticket is not None:
            self._tickets[ticket] = None
        self._look_again()
        return True

    def _drive(self) -> None:
        while True:
            for action in self._core.due(self._now):
                if isinstance(action, Put):
                    self._put(action)
                else:
                    self.process.spawn(self._refresh, "listing")
            self._tell()
            self._sleeps_until = self._core.wake_at
            self._scheduler.park(None if self._sleeps_until == inf else self._ms_until(self._sleeps_until))

    def _ms_until(self, at: float) -> int:
        # at least one: what rounds to now would be looked for again and again, without time going on
        return 0 if at <= self._now else max(1, ceil((at - self._now) * 1000))

    def _put(self, put: Put) -> None:
        def answered(result: PutResult) -> None:
            if self.process.alive:
                self.process.spawn(lambda: self._answered(put, result), "put")

        self._stream.put(put, answered)

    def _answered(self, put: Put, result: PutResult) -> None:
        self._core.on_result(put, result, self._now)
        self._tell()
        self._look_again()

    def _refresh(self) -> None:
        try:
            shards = self._stream.list_shards()
        except RetryLater:
            self._core.on_shard_map_failed(self._now)
        else:
            self._core.on_shard_map(shards, self._now)
        self._tell()
        self._look_again()

    def _look_again(self) -> None:
        if self._core.wake_at < self._sleeps_until:
            self._scheduler.wake(self._driver)

    def _tell(self) -> None:
        for settled in self._core.settled():
            if isinstance(settled.token, Ticket):
                del self._tickets[settled.token]
                if isinstance(settled, Failed) and isinstance(settled.error, Rejected) and not self._may_reject:
                    raise AssertionError(f"given up for good, though only refused for a while: {settled.error}")
                settled.token.settled(isinstance(settled, Delivered))

    def _died(self) -> None:
        tickets, self._tickets = self._tickets, {}
        for ticket in tickets:
            ticket.settled(False)

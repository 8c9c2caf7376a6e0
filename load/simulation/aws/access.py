"""One process's way to the stores: calls take time, fail, lose answers, and the process may die beside a write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

from clickstream.load.simulation.chance import Chance
from clickstream.load.simulation.fleet.scheduler import Process, Scheduler

T = TypeVar("T")


class Weather:
    """Which dependencies are down for everybody, and what nobody is allowed to do."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.bans: dict[tuple[str, str], str] = {}
        """(store, operation) → the code that it is refused with."""


class Access:
    """``call`` performs what a store does in one step, at one moment of virtual time between the request and the answer."""

    def __init__(
        self, scheduler: Scheduler, chance: Chance, weather: Weather, process: Process, crash: Callable[[Process], None]
    ) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._weather = weather
        self._process = process
        self._crash = crash

    def now_ms(self) -> int:
        return self._scheduler.now

    def call(self, store: str, operation: str, effect: Callable[[], T], *, writes: bool) -> T:
        """The effect's result or error; ClientError when the store did not answer, whether or not the effect took place."""
        scheduler, chance, plan = self._scheduler, self._chance, self._chance.plan
        scheduler.sleep(chance.latency_ms())
        if store in self._weather.down or chance.strikes(f"{store} failed", plan.store_failed):
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "no answer"}}, operation)
        if (code := self._weather.bans.get((store, operation.split()[0]))) is not None:
            chance.counts["refused: not allowed"] += 1
            raise ClientError(
                {"Error": {"Code": code, "Message": f"not authorized to perform: {store}:{operation}"}}, operation
            )
        if writes and chance.strikes("crash before a write", plan.crash_step):
            self._crash(self._process)
        scheduler.note(self._process.name, store, operation)
        result = effect()
        if writes and chance.strikes("crash after a write", plan.crash_step):
            self._crash(self._process)
        scheduler.sleep(chance.latency_ms())
        if writes and chance.strikes(f"{store} answer lost", plan.store_lost):
            raise ClientError({"Error": {"Code": "RequestTimeout", "Message": "the answer was lost"}}, operation)
        return result

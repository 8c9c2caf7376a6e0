"""One simulated world from its seed to its verdict."""

from __future__ import annotations

import gc
import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import structlog

from clickstream.application import Application, Fold, Sink
from clickstream.consumers.analytics.fold import AnalyticsFold
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.analytics.sink import AggregatesTable
from clickstream.consumers.runtime.state import chain
from clickstream.load.simulation import judge
from clickstream.load.simulation.applications.history import Decision, HistoryApplication
from clickstream.load.simulation.aws.access import Access, Weather
from clickstream.load.simulation.aws.clients import SimulatedClients
from clickstream.load.simulation.aws.stores import KEYS, Stores
from clickstream.load.simulation.aws.stream import Stream
from clickstream.load.simulation.chance import Chance
from clickstream.load.simulation.chaos import STORM_MS, Chaos
from clickstream.load.simulation.clients.generating import Generator
from clickstream.load.simulation.clients.publishing import PublisherMachine
from clickstream.load.simulation.clients.rogues import Rogues
from clickstream.load.simulation.clients.shoppers import Shoppers
from clickstream.load.simulation.fleet.child import Child, Surroundings
from clickstream.load.simulation.fleet.consumer import Consumer
from clickstream.load.simulation.fleet.leases import LeaseTable
from clickstream.load.simulation.fleet.scheduler import Machine, Process, Scheduler, Stuck
from clickstream.load.simulation.fleet.threads import InlineExecutor
from clickstream.load.simulation.fleet.worker import Worker
from clickstream.load.simulation.foreign import Foreign, without_threads
from clickstream.load.simulation.ledger import Ledger
from clickstream.load.simulation.plan import Plan
from clickstream.producers.publisher.limits import Limits
from clickstream.records.routing import Shard

#: Virtual time that the drain may take: far more than it needs, so that only a standstill reaches it.
DRAIN_MS = 600_000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """``problems`` is empty when every promise was kept."""

    plan: Plan
    problems: list[str]
    faults: dict[str, int]
    events: int
    steps: int
    trace: list[str] = []


class Violation(Exception):
    """A promise was broken while the world ran."""


class AnalyticsApplication:
    """``clickstream.consumers.analytics.wiring`` with a sink that needs no threads."""

    name = "analytics"

    def open_fold(self, shard_id: str) -> Fold:
        return AnalyticsFold(shard_id)

    def open_sink(self, shard_id: str, clients: Any, settings: Any) -> Sink:
        return AggregatesTable(clients.dynamodb, AGGREGATES.of(settings), clock_s=lambda: 0.0, threads=InlineExecutor())


class World:
    """See ``worker.Fleet`` and ``shoppers.Shop`` for what its inhabitants take from it."""

    def __init__(self, plan: Plan, foreign: Foreign | None = None, *, trace: bool = False) -> None:
        self.plan = plan
        self.foreign = foreign
        self.generator = Generator(foreign.handles if foreign else ())
        self.chance = Chance(plan)
        self._random = Random(f"world {plan.seed}")
        self._toil = Random(f"work {plan.seed}")
        # now and then the border of a generation of duplicates lies within the run
        start_ms = 1_700_000_100_000 + self._random.randrange(300_000)
        self.scheduler = Scheduler(Random(f"order {plan.seed}"), start_ms)
        if trace:
            self.scheduler.trace = []
        self.weather = Weather()
        self.stores = Stores(foreign.keys if foreign else KEYS)
        self.leases = LeaseTable()
        self.ledger = Ledger()
        self.stream = Stream(self.scheduler, self.chance)
        self.decisions: list[Decision] = []
        self.application = self._application()
        for shard in self.stream.shards():
            self.leases.create(shard.shard_id)
        self._supervisor = Process(self.scheduler, "supervisor")
        self._limits = Limits(
            pack_bytes=self._random.choice((600, 4_000, 51_200, 51_200)),
            pack_lines=self._random.choice((3, 8, 30, 2_000)),
            linger=self._random.choice((0.0, 1.0, 3.0)),
            time_to_live=self._random.choice((5.0, 60.0)),
            put_records=self._random.choice((1, 3, 500)),
        )
        self.publishers = [self._publisher(slot) for slot in range(len(plan.records))]
        self.children: list[Process] = []
        self.workers: dict[str, Worker] = {}
        self.machines: dict[str, Machine] = {}
        for number in range(plan.workers):
            self._start_worker(f"worker-{number}")
        self.shoppers = Shoppers(self)
        Rogues(self, self.shoppers.process)
        self.chaos = Chaos(self)
        self._leaving = False
        self._storm_over = self._at_rest = False
        self._supervisor.spawn(self._watch, "watch")
        if plan.application == "analytics":
            self._supervisor.spawn(self._look, "looker")

    def run(self) -> Outcome:
        problems: list[str] = []
        scheduler = self.scheduler
        try:
            scheduler.run_until(lambda: self._storm_over, scheduler.now + 2 * STORM_MS)
            scheduler.run_until(lambda: self._at_rest, scheduler.now + DRAIN_MS)
            self._leave()
            scheduler.run_until(lambda: not self._alive(), scheduler.now + DRAIN_MS)
            problems = judge.judge(self)
        except Violation as violation:
            problems = [str(violation)]
        except Stuck as stuck:
            problems = [f"{stuck}: {judge.standstill(self)}"]
        except Exception as error:  # noqa: BLE001  # whatever the code under test raised is the verdict
            problems = [_where(error)]
        finally:
            scheduler.close()
        return Outcome(
            plan=self.plan,
            problems=problems,
            faults=dict(self.chance.counts),
            events=len(self.ledger.events),
            steps=scheduler.steps,
            trace=scheduler.trace or [],
        )

    def _application(self) -> Application:
        if self.foreign is not None:
            return self.foreign.application
        return HistoryApplication(self.decisions, self._work) if self.plan.application == "history" else AnalyticsApplication()

    # the course of the world

    def _watch(self) -> None:
        self.scheduler.sleep(STORM_MS)
        self.chance.on = False
        self.chaos.end()
        self._storm_over = True
        self.scheduler.note("world", "the faults are over")
        # twice, with a heartbeat in between: an owner that a zombie has fenced learns of it there
        at_rest = 0
        while at_rest < 2:
            self.scheduler.sleep(1_500)
            at_rest = at_rest + 1 if self._drained() else 0
        self._at_rest = True

    def _look(self) -> None:
        """Somebody who asks what is complete, at any time."""
        random = Random(f"looker {self.plan.seed}")
        while not self._at_rest:
            self.scheduler.sleep(random.choice((100, 700, 2_500)))
            for problem in judge.look(self):
                self.violated(problem)

    def _drained(self) -> bool:
        if not self.shoppers.done or self.stream.in_flight or any(publisher.pending for publisher in self.publishers):
            return False
        return all(self._is_drained(shard) for shard in self.stream.shards())

    def _is_drained(self, shard: Shard) -> bool:
        """Whether everything in the shard was read since the last put, and is committed."""
        lease = self.leases.rows.get(shard.shard_id)
        if lease is None or not shard.is_open:
            return lease is not None and lease.ended
        worker = self.workers.get(lease.owner or "")
        consumer = worker.consumers.get(shard.shard_id) if worker is not None and worker.process.alive else None
        if consumer is None or not consumer.caught_up_since(self.stream.last_put_ms):
            return False
        return self.stream.reach(shard.shard_id, consumer.delivered) <= self.committed(shard.shard_id)[0]

    def _leave(self) -> None:
        self._leaving = True
        for worker in self.workers.values():
            worker.leave()

    def _alive(self) -> bool:
        return any(process.alive for process in [*self.children, *(worker.process for worker in self.workers.values())])

    def _work(self) -> None:
        """What a fold does takes time, in which its process may die, its lease may end and its commit may land."""
        if self.plan.fold_ms:
            self.scheduler.sleep(self._toil.randrange(self.plan.fold_ms))

    # processes

    def _publisher(self, slot: int) -> PublisherMachine:
        seed = self._random.randrange(2**32)
        process = Process(self.scheduler, f"publisher-{slot}")
        limits = msgspec.structs.replace(self._limits, records=self.plan.records[slot])
        machine = PublisherMachine(self.scheduler, self.stream, process, limits, seed, may_reject=self.plan.put_rejected > 0)

        def restart() -> None:
            self.scheduler.sleep(self._random.randrange(500, 4_000))
            self.publishers[slot] = self._publisher(slot)

        self._when_dead(process, restart)
        return machine

    def _start_worker(self, name: str) -> None:
        machine = self.machines.setdefault(name, Machine())
        machine.skew_ms = self._random.randint(-self.plan.skew_ms, self.plan.skew_ms)
        process = Process(self.scheduler, name, machine)

        def restart() -> None:
            # now and then so late that others take its leases
            self.scheduler.sleep(self._random.choice((1_000, 2_000, 5_000, 15_000)))
            if not self._leaving:
                self._start_worker(name)

        self._when_dead(process, restart)
        self.workers[name] = Worker(self, name, process, Random(self._random.random()))

    def _when_dead(self, process: Process, restart: Callable[[], None]) -> None:
        def died() -> None:
            self._supervisor.spawn(restart, process.name)

        process.when_dead.append(died)

    def start_child(self, consumer: Consumer) -> Child:
        worker = consumer.worker
        process = Process(self.scheduler, f"{worker.name}/{consumer.shard_id}", worker.process.machine)
        self.children = [*(child for child in self.children if child.alive), process]
        access = Access(self.scheduler, self.chance, self.weather, process, self.chaos.crash_here)
        clients = SimulatedClients.of(self.stores, access)
        surroundings = Surroundings(self.application, worker.name, clients, self.stream.list_shards)
        return Child(self.scheduler, process, consumer, self.application, surroundings, self.plan)

    # what is promised while it runs

    def committed(self, shard_id: str) -> tuple[tuple[int, int], bool]:
        item = self.stores.tables["shards"].get((self.application.name, shard_id), {})
        return judge.position(item), bool(item.get("ended", {}).get("BOOL", False))

    def violated(self, what: str) -> None:
        raise Violation(what)


def _where(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"


@contextmanager
def quiet() -> Iterator[None]:
    """The runtime's log is off, the garbage collector (which finds little) looks rarely; all is put back at the end."""
    before, state, thresholds = structlog.get_config(), random.getstate(), gc.get_threshold()
    longest_chain = chain.LONGEST_CHAIN
    gc.set_threshold(50_000, 20, 100)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
    try:
        with without_threads():
            yield
    finally:
        structlog.configure(**before)
        random.setstate(state)
        gc.set_threshold(*thresholds)
        chain.LONGEST_CHAIN = longest_chain


def simulate(plan: Plan, foreign: Foreign | None = None, *, trace: bool = False) -> Outcome:
    """Run one world; call it within ``quiet``. ``foreign`` goes with a plan of ``draw_own``."""
    random.seed(plan.seed)
    chain.LONGEST_CHAIN = plan.longest_chain
    return World(plan, foreign, trace=trace).run()

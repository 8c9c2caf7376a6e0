"""A KCL worker: takes, renews, loses and hands over leases, and runs a consumer for each lease it has."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Protocol

from clickstream.load.simulation.aws.stream import Stream
from clickstream.load.simulation.chance import Chance
from clickstream.load.simulation.fleet.child import Child
from clickstream.load.simulation.fleet.consumer import Consumer
from clickstream.load.simulation.fleet.leases import Lease, LeaseTable
from clickstream.load.simulation.fleet.scheduler import Process, Scheduler
from clickstream.load.simulation.plan import Plan

FAILOVER_MS = 3_000
RENEW_MS = 1_000
TAKE_MS = 1_000
HANDOFF_TIMEOUT_MS = 6_000


class Fleet(Protocol):
    """What a worker needs of the world."""

    scheduler: Scheduler
    chance: Chance
    plan: Plan
    leases: LeaseTable
    stream: Stream

    def start_child(self, consumer: Consumer) -> Child: ...

    def committed(self, shard_id: str) -> tuple[tuple[int, int], bool]:
        """(position, whether the end is committed) of the application's last commit."""

    def violated(self, what: str) -> None:
        """A promise was broken: the run fails."""


class Worker:
    """One process of the daemon; its supervisor makes a new Worker of the same name after its death."""

    def __init__(self, fleet: Fleet, name: str, process: Process, random: Random) -> None:
        self.name = name
        self.process = process
        self.fleet = fleet
        self.consumers: dict[str, Consumer] = {}
        self.leaving = False
        self._random = random
        self._seen: dict[str, tuple[int, int]] = {}
        process.when_dead.append(self._died)
        process.spawn(self._renew, "renewer")
        process.spawn(self._take, "taker")

    def leave(self) -> None:
        """SIGTERM: every consumer is asked to finish, then the worker ends."""
        self.leaving = True
        self.process.spawn(self._leave, "shutdown")

    def _leave(self) -> None:
        while self.consumers:
            self.fleet.scheduler.sleep(100)
        self.process.kill()

    def _died(self) -> None:
        for consumer in self.consumers.values():
            consumer.daemon_died(orphan=self.fleet.plan.orphans)

    def child_died(self) -> None:
        """MultiLangDaemon ends the whole worker when a child goes."""
        if self.process.alive:
            self.process.spawn(self._follow, "exit")

    def _follow(self) -> None:
        self.fleet.scheduler.sleep(self.fleet.chance.latency_ms())
        self.process.kill()

    def _renew(self) -> None:
        fleet = self.fleet
        while True:
            fleet.scheduler.sleep(RENEW_MS + self._random.randrange(200))
            for shard_id, consumer in list(self.consumers.items()):
                fleet.scheduler.sleep(fleet.chance.latency_ms())
                if fleet.chance.strikes("renewal failed", fleet.plan.checkpoint_failed / 2) or consumer.lost or consumer.over:
                    continue
                if fleet.leases.renew(shard_id, self.name, consumer.counter):
                    consumer.counter += 1
                    if fleet.leases.rows[shard_id].handoff_to is not None:
                        consumer.leaving = True
                else:
                    fleet.scheduler.note(self.name, "has lost", shard_id)
                    consumer.lost = True

    def _take(self) -> None:
        fleet = self.fleet
        while True:
            for lease in list(fleet.leases.rows.values()):
                # leases of this name: the last life's, or one that was handed over
                if lease.owner == self.name and lease.shard_id not in self.consumers and not lease.ended:
                    self._start(lease, lease.counter)
            fleet.scheduler.sleep(TAKE_MS + self._random.randrange(400))
            if not self.leaving:
                self._look()

    def _look(self) -> None:
        fleet, now = self.fleet, self.fleet.scheduler.now
        active = [lease for lease in fleet.leases.rows.values() if not lease.ended]
        for lease in active:
            if self._seen.get(lease.shard_id, (-1, 0))[0] != lease.counter:
                self._seen[lease.shard_id] = (lease.counter, now)
        others = [lease for lease in active if lease.owner != self.name]
        free = [lease for lease in others if lease.owner is None or now - self._seen[lease.shard_id][1] > FAILOVER_MS]
        for lease in self._random.sample(free, len(free)):
            self._start(lease, self._seen[lease.shard_id][0])
        owners = Counter(lease.owner for lease in active if lease.owner is not None)
        if free or not others:
            return
        for lease in others:
            if lease.handoff_to == self.name and now - self._seen[lease.shard_id][1] > HANDOFF_TIMEOUT_MS:
                self._start(lease, lease.counter)
        victim = self._random.choice(others)
        unbalanced = owners[victim.owner or ""] > owners[self.name] + 1
        if unbalanced or fleet.chance.strikes("lease stolen", fleet.plan.steals):
            if fleet.plan.graceful_handoff and self._random.random() < 0.7:
                victim.handoff_to = self.name
            else:
                self._start(victim, victim.counter)

    def _start(self, lease: Lease, counter: int) -> None:
        self.fleet.scheduler.sleep(self.fleet.chance.latency_ms())
        if lease.shard_id in self.consumers or not self.fleet.leases.take(lease.shard_id, self.name, counter):
            return
        self.fleet.scheduler.note(self.name, "takes", lease.shard_id)
        consumer = Consumer(self, lease.shard_id, lease.counter)
        self.consumers[lease.shard_id] = consumer
        self.process.spawn(consumer.run, lease.shard_id)

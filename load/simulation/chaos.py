"""Faults that strike processes and the stream at moments of their own: crashes, stops, reshards, outages."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from clickstream.infra.local.kinesis.model.errors import KinesisError
from clickstream.infra.local.kinesis.model.shards import Shard, key_number
from clickstream.infra.local.kinesis.operations.resharding import merge_shards, split_shard
from clickstream.load.simulation.aws.stream import NAME
from clickstream.load.simulation.clients.shoppers import SENDING_MS
from clickstream.load.simulation.fleet.scheduler import Process

if TYPE_CHECKING:
    from clickstream.load.simulation.world import World

#: Faults go on for a while after the last event was sent.
STORM_MS = SENDING_MS + 10_000
#: By store, what a process asks of it.
OPERATIONS = {
    "dynamodb": ("GetItem", "PutItem", "UpdateItem"),
    "s3": ("PutObject", "GetObject", "ListObjectsV2", "DeleteObjects"),
    "sqs": ("GetQueueUrl", "SendMessageBatch"),
}
BAN_CODES = ("AccessDeniedException", "KMSDisabledException", "ExpiredTokenException", "InvalidSignatureException")


class Chaos:
    def __init__(self, world: World) -> None:
        self._world = world
        self._random = Random(f"chaos {world.plan.seed}")
        self._process = Process(world.scheduler, "chaos")
        self._stopped: list[Process] = []
        plan = world.plan
        for count, strike in (
            (plan.crashes, self._crash),
            (plan.stops, self._stop),
            (plan.reshards, self._reshard),
            (plan.outages, self._outage),
            (plan.bans, self._ban),
            (plan.clock_steps, self._step_clock),
            (plan.publisher_crashes, self._crash_publisher),
        ):
            for _ in range(count):
                self._at(self._random.randrange(500, STORM_MS), strike)

    def end(self) -> None:
        """Everything that was stopped goes on, everything that was down is up."""
        self._world.weather.down.clear()
        self._world.weather.bans.clear()
        for process in self._stopped:
            process.go_on()

    def crash_here(self, process: Process) -> None:
        """The process that is making a call dies, or its worker with it, or the whole fleet."""
        which = self._random.random()
        world = self._world
        if which < 0.85:
            process.kill()
        elif which < 0.95:
            for worker in world.workers.values():
                if process.name.startswith(f"{worker.name}/"):
                    worker.process.kill()
        else:
            self._crash_all()
        world.scheduler.check_alive()

    def _at(self, after_ms: int, strike: Callable[[], None]) -> None:
        def run() -> None:
            self._world.scheduler.sleep(after_ms)
            if self._world.chance.on:
                strike()

        self._process.spawn(run, strike.__name__)

    def _count(self, fault: str, *what: object) -> None:
        self._world.chance.counts[fault] += 1
        self._world.scheduler.note("chaos", fault, *what)

    def _crash(self) -> None:
        which = self._random.random()
        processes = self._world.children if which < 0.4 else [worker.process for worker in self._world.workers.values()]
        alive = [process for process in processes if process.alive]
        if which > 0.9:
            self._count("crash of the fleet")
            self._crash_all()
        elif alive:
            process = self._random.choice(alive)
            self._count("crash of a child" if which < 0.4 else "crash of a worker", process.name)
            process.kill()

    def _crash_all(self) -> None:
        for worker in self._world.workers.values():
            with self._world.scheduler.unbroken():
                worker.process.kill()

    def _crash_publisher(self) -> None:
        machine = self._random.choice(self._world.publishers)
        self._count("crash of a publisher")
        machine.process.kill()

    def _stop(self) -> None:
        """A child, a daemon, or a machine with both; some sleep longer than an iterator lives."""
        workers = [worker for worker in self._world.workers.values() if worker.process.alive]
        if not workers:
            return
        worker = self._random.choice(workers)
        children = [child for child in self._world.children if child.alive and child.name.startswith(f"{worker.name}/")]
        which = self._random.random()
        if which < 0.4 and children:
            stopped = [self._random.choice(children)]
        elif which < 0.7:
            stopped = [worker.process]
        else:
            stopped = [worker.process, *children]
        self._count("stop", *(process.name for process in stopped))
        for process in stopped:
            process.stop()
        self._stopped += stopped
        self._world.scheduler.sleep(self._random.choice((2_000, 6_000, 12_000, 30_000)))
        for process in stopped:
            process.go_on()

    def _reshard(self) -> None:
        """A split or a merge, often followed at once by another of its children."""
        for _ in range(self._random.choice((1, 1, 2))):
            if self._world.chance.on:
                self._split_or_merge()
            self._world.scheduler.sleep(self._random.choice((5, 300, 3_000)))

    def _split_or_merge(self) -> None:
        model, now = self._world.stream.model, self._world.scheduler.now
        open_shards: list[Shard] = model.streams[NAME].graph.open_shards
        try:
            if len(open_shards) < 2 or (len(open_shards) < 5 and self._random.random() < 0.55):
                shard = self._random.choice(open_shards)
                first, last = key_number(shard.start), key_number(shard.end)
                at = first + int((last - first) * self._random.uniform(0.2, 0.8))
                split_shard(model, NAME, shard.shard_id, str(at), now)
                self._count("split", shard.shard_id)
            else:
                lower = self._random.randrange(len(open_shards) - 1)
                pair = open_shards[lower], open_shards[lower + 1]
                merge_shards(model, NAME, pair[0].shard_id, pair[1].shard_id, now)
                self._count("merge", pair[0].shard_id, pair[1].shard_id)
        except KinesisError as error:
            self._world.scheduler.note("chaos", "the reshard was refused:", error.message)

    def _outage(self) -> None:
        store = self._random.choice(("dynamodb", "s3", "sqs"))
        self._count("outage", store)
        self._world.weather.down.add(store)
        self._world.scheduler.sleep(self._random.choice((1_000, 5_000, 15_000)))
        self._world.weather.down.discard(store)

    def _ban(self) -> None:
        """One operation, or a whole store, is refused to everybody for a while."""
        store = self._random.choice(tuple(OPERATIONS))
        operations = OPERATIONS[store] if self._random.random() < 0.4 else (self._random.choice(OPERATIONS[store]),)
        code = self._random.choice(BAN_CODES)
        self._count("ban", store, *operations, code)
        bans = {(store, operation): code for operation in operations}
        self._world.weather.bans |= bans
        self._world.scheduler.sleep(self._random.choice((1_000, 5_000, 20_000)))
        for ban in bans:
            self._world.weather.bans.pop(ban, None)

    def _step_clock(self) -> None:
        """One machine's wall clock goes back or forward by an hour, and comes right after a while."""
        worker = self._random.choice(list(self._world.workers.values()))
        step = self._random.choice((-3_600_000, 3_600_000))
        self._count("clock step", worker.name, step)
        machine = self._world.machines[worker.name]
        machine.step_ms += step
        self._world.scheduler.sleep(self._random.choice((2_000, 10_000, 20_000)))
        machine.step_ms -= step

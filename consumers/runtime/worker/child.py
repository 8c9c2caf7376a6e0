"""One shard's process, started by KCL's daemon: ``python -m clickstream.consumers.runtime.worker.child APPLICATION``.

The wiring of the consumer side: everything that the shard loop needs is made here, once, and passed on.
"""

import gc
import importlib
import os
import select
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import structlog

from clickstream.application import Application, Sink
from clickstream.aws import Clients
from clickstream.aws.boto_types import DynamoDBClient
from clickstream.consumers import needs
from clickstream.consumers.runtime.faults import watchdog
from clickstream.consumers.runtime.faults.breakers import Breakers
from clickstream.consumers.runtime.faults.dead_letters import DeadLetterQueue
from clickstream.consumers.runtime.faults.patience import Patience
from clickstream.consumers.runtime.faults.stumbling import EXIT_REMEMBERED
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.consumers.runtime.loop.wire import Wire, serve
from clickstream.consumers.runtime.progress.metric_lines import EVERY_S, TellingStore
from clickstream.consumers.runtime.state.snapshots import SnapshotStore, Store
from clickstream.errors import ClickstreamError, RetryLater
from clickstream.records.kinesis import list_shards
from clickstream.records.routing import Shard
from clickstream.settings import Settings, from_env
from clickstream.telemetry import logs

#: How often what the shard waits for is compared with what its item says.
_LOOK_S = 1.0


class ServersClock:
    """AWS's clock, as the answers to our own calls tell it: all that a shard without records can go by. Thread-safe.

    Called: what it showed at the last answer (ms, by whole seconds), and our monotonic clock then.
    """

    def __init__(self, dynamodb: DynamoDBClient) -> None:
        self._heard: tuple[str, float] | None = None
        dynamodb.meta.events.register("after-call.dynamodb", self._hear)

    def __call__(self) -> tuple[int, float] | None:
        heard = self._heard
        return None if heard is None else (int(parsedate_to_datetime(heard[0]).timestamp() * 1000), heard[1])

    def _hear(self, http_response: Any, **_: object) -> None:
        if (date := http_response.headers.get("Date")) is not None:
            self._heard = str(date), time.monotonic()


class Aws:
    def __init__(self, application: Application, settings: Settings) -> None:
        self._application = application
        self._settings = settings
        self._clients = Clients(settings, attempts=2, validate=False)  # the loop's own patience does the rest, visibly
        self._kinesis = self._clients.kinesis  # made before the zygote forks, as the others are
        self.servers_clock = ServersClock(self._clients.dynamodb)
        self.breakers = Breakers()
        self.breakers.guard("DynamoDB", self._clients.dynamodb)
        self.breakers.guard("S3", self._clients.s3)
        self.breakers.guard("SQS", self._clients.sqs)
        self.breakers.guard("SNS", self._clients.sns)
        self.snapshots = SnapshotStore(application.name, settings.worker_id, self._clients, settings)
        self.store: Store = self.snapshots
        self.tell_waiting: Callable[[Mapping[str, str | int]], None] = lambda _: None
        if settings.metrics == "emf":
            self.store = telling = TellingStore(self.snapshots, application.name, lambda line: sys.stderr.write(line))
            self.tell_waiting = telling.waits
        self.dead_letters = DeadLetterQueue(self._clients, settings)

    def describe(self, shard_id: str) -> Shard:
        for shard in list_shards(self._kinesis, self._settings.stream):
            if shard.shard_id == shard_id:
                return shard
        raise RetryLater(f"Kinesis: ListShards does not show {shard_id}")

    def children_of(self, shard_id: str) -> list[Shard]:
        return [shard for shard in list_shards(self._kinesis, self._settings.stream) if shard_id in shard.parents]

    def open_sink(self, shard_id: str) -> Sink:
        return self._application.open_sink(shard_id, self._clients, self._settings)


def load_application(name: str) -> Application:
    """The application's wiring, imported only now: a process carries what its own application needs.

    ``name``: an application's, or any module that has an ``APPLICATION``, or MODULE@ARGUMENT, which is made by the
    module's ``application(ARGUMENT)``.
    """
    module, made, argument = name.partition("@")
    known = needs.known(module)
    wiring = importlib.import_module(module if known is None else known.wiring)
    application: Application = wiring.application(argument) if made else wiring.APPLICATION
    return application


class Prepared(NamedTuple):
    """What does not depend on the shard: made once, before the zygote forks. ``at_end`` runs before the process leaves."""

    application: Application
    surroundings: Aws
    settings: Settings
    at_end: Callable[[], None] = lambda: None


def prepare(application_name: str, settings: Settings) -> Prepared:
    """Import the application and build the AWS clients; no connection is opened, so a fork may use them."""
    application = load_application(application_name)
    # host names are encoded with it at a shard's first call; imported before the fork, its 2 MB are shared
    importlib.import_module("encodings.idna")
    if not settings.trace_sampling:
        return Prepared(application, Aws(application, settings), settings)
    # 10 MB and 0.1 s that only who traces pays
    from clickstream.consumers.runtime.progress.tracing import TracedApplication

    traced = TracedApplication(application, settings)
    return Prepared(traced, Aws(traced, settings), settings, traced.close)


def run(prepared: Prepared) -> int:
    """Serve the daemon on stdin and stdout until it closes them; the process's exit code."""
    wire = Wire(*take_over())
    logs.to_stderr(prepared.settings.log_level, readable=False)
    watch = watchdog.Watch(prepared.settings.hung_after_s)
    loop = ShardLoop(
        prepared.application,
        prepared.surroundings,
        policy=CommitPolicy(interval_ms=int(prepared.settings.commit_s * 1000)),
        servers_clock=prepared.surroundings.servers_clock,
        executor=watchdog.WatchedExecutor(watch, "commit"),
    )
    breakers = prepared.surroundings.breakers
    threading.excepthook = _end_at_a_bug
    watchdog.start(watch, lambda: max(filter(None, (breakers.last_trouble, loop.patience.last_trouble)), default=None))
    trouble = (breakers, loop.patience, prepared.surroundings)
    threading.Thread(target=_tell_trouble, args=trouble, name="trouble", daemon=True).start()
    try:
        serve(wire, loop, watch.over)
    except ClickstreamError as error:
        # the daemon sees the pipe close and ends; its supervisor starts it again, and KCL delivers again
        structlog.get_logger().error("shard process stops", reason=str(error))
        return 1
    except Exception:  # noqa: BLE001  # the end of every bug
        structlog.get_logger().error("shard process stops at a bug", traceback=traceback.format_exc())
        return EXIT_REMEMBERED if loop.remembered_a_bug else 1
    finally:
        prepared.at_end()
    return 0


def take_over() -> tuple[int, int]:
    """Keep stdin and stdout for the daemon's protocol: a stray ``print()`` goes to stderr, and no library can read from it.

    A daemon killed with -9 closes the pipe too, but a busy or hanging child would notice only at its next read; the watcher
    notices at once, and a child without a daemon must not go on.
    """
    read_fd, write_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    threading.Thread(target=_exit_when_closed, args=(read_fd,), name="daemon-watch", daemon=True).start()
    return read_fd, write_fd


def _exit_when_closed(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, 0)  # nothing but the hang-up is asked for
    poll.poll()
    os._exit(0)


def _end_at_a_bug(bug: threading.ExceptHookArgs) -> None:
    """A thread that ended unnoticed would leave a shard unwatched, or one that never reports what it waits for."""
    frames = traceback.format_exception(bug.exc_type, bug.exc_value, bug.exc_traceback)
    structlog.get_logger().error("shard process stops at a bug", traceback="".join(frames))
    os._exit(1)


def _tell_trouble(breakers: Breakers, patience: Patience, surroundings: Aws) -> None:
    """Keep the shard's item up with what the shard waits for, on a thread of its own: the loop's threads wait just then."""
    told: tuple[Mapping[str, str], Mapping[str, str | int]] = {}, {}
    line_at = 0.0
    while True:
        time.sleep(_LOOK_S)
        trouble = breakers.states(), patience.current()
        if trouble[1] and time.monotonic() - line_at >= EVERY_S:
            line_at = time.monotonic()
            surroundings.tell_waiting(trouble[1])
        if trouble == told:
            continue
        # when DynamoDB itself is down, or the item may not be written, its age tells, and the log
        with suppress(ClickstreamError):
            surroundings.snapshots.tell_trouble(*trouble)
            told = trouble


def main(arguments: Sequence[str]) -> int:
    """A shard's process on its own, where forking from a zygote is not possible."""
    prepared = prepare(arguments[0], from_env())
    tune_garbage_collector()
    return run(prepared)


def tune_garbage_collector() -> None:
    """Events and records hold no cycles, so the collector finds nothing in them: let it look rarely, and never at imports."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

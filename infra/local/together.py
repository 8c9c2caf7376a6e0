"""Every part of the platform at once: started in order, watched, and ended in the opposite order.

The AWS comes first and goes last. The collector goes first, so that what it answered for is read; the workers drain
before the dashboard goes, so a reader sees their last answers.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event
from types import FrameType

from clickstream.aws import Clients
from clickstream.consumers.needs import applications
from clickstream.infra.local import functions, resources, roles
from clickstream.infra.local.processes import Children, Process, wait_until
from clickstream.infra.local.stack import Ports, Stack, answers, claim, launch, remove_scratch
from clickstream.progress.shards_table import ShardsTable
from clickstream.records.kinesis import list_shards
from clickstream.settings import Settings, child_environment

#: Whose role is not called as the part is.
_ROLES = {"collect": "collector", "serve": "serving"}
READY_SECONDS = 60.0
#: A worker may drain for KCL's grace of 30 s and the JVM's end (clickstream.consumers.runtime.worker.daemon).
STOP_SECONDS = 45.0
_LOOK_SECONDS = 0.25


def names(*, unasked: bool = False) -> tuple[str, ...]:
    """Of all parts; ``unasked``: of those that start without being named. Each worker is a JVM of 150 MB."""
    workers = [name for name, needs in applications().items() if needs.starts_with_up or not unasked]
    return ("aws", *workers, "collect", "serve")


class Parts:
    """The parts of one ``clickstream up``: :meth:`start`, :meth:`watch` until asked to stop, :meth:`stop` in any case."""

    def __init__(self, settings: Settings, names: Collection[str], *, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._names = names
        self._say = say
        self._collecting, self._workers, self._serving, self._aws = Children(), Children(), Children(), Children()
        self._groups = (self._collecting, self._workers, self._serving, self._aws)
        """In the order in which they end."""

    def start(self, *, shards: int, port: int, collect_port: int, ports: Ports, requested: Event) -> Stack | None:
        """Start everything and wait until every part answers; returns the embedded AWS if it is a part.

        Raises UserMistake (a port is taken), Died or NotReady; KeyboardInterrupt when ``requested`` is set meanwhile.
        """
        wanted = {"serve": (port, "--port"), "collect": (collect_port, "--collect-port")}
        wanted |= {"aws": (ports.aws, "--aws-port"), "kinesis": (ports.kinesis, "--kinesis-port")}
        here = [part for part in wanted if part.replace("kinesis", "aws") in self._names]
        claimed = dict(zip(here, claim(*map(wanted.__getitem__, here)), strict=True))
        port, collect_port = claimed.get("serve", port), claimed.get("collect", collect_port)
        stack = None
        if "aws" in self._names:
            ports = Ports(aws=claimed["aws"], kinesis=claimed["kinesis"])
            stack = launch(self._aws, self._settings.local_dir, ports=ports, say=self._say)
            self._settings = stack.settings
        clients = Clients(self._settings)
        resources.create(clients, self._settings, shards=shards)

        def begin(group: Children, name: str, *arguments: str) -> None:
            environment = None
            if stack is not None:
                role = roles.variables(self._settings.name, _ROLES.get(name, name))
                environment = child_environment(stack.environment | role)
            log = self._settings.local_dir.absolute() / "logs" / f"{name}.log"
            group.start(name, [sys.executable, "-P", "-m", "clickstream.cli", *arguments], environment=environment, log=log)
            self._say(f"started {name} (log: {log})")

        since_ms = int(time.time() * 1000)
        workers = [name for name in applications() if name in self._names]
        for name in workers:
            if stack is not None:
                if applications()[name].functions:
                    functions.deploy(clients, self._settings, applications()[name])
                resources.create_lease_tables(clients, self._settings, name)
            begin(self._workers, name, "worker", name)
        if "collect" in self._names:
            begin(self._collecting, "collect", "collect", "--port", str(collect_port))
        if "serve" in self._names:
            begin(self._serving, "serve", "serve", "--port", str(port))

        def check() -> None:
            self._check()
            if requested.is_set():
                raise KeyboardInterrupt

        deadline = time.monotonic() + READY_SECONDS
        if "serve" in self._names:
            wait_until(lambda: answers(port, "/healthz"), "serve", deadline, check=check)
            self._say(f"the dashboard is at http://127.0.0.1:{port}")
        if "collect" in self._names:
            wait_until(lambda: answers(collect_port, "/healthz"), "collect", deadline, check=check)
            self._say(f"events go to http://127.0.0.1:{collect_port}/v1/events")
        for name in workers:
            owned = partial(owns_every_shard, clients, self._settings, name, since_ms)
            wait_until(owned, name, deadline, check=check)
        return stack

    def watch(self, requested: Event) -> None:
        """Return when ``requested`` is set; raises Died when a part ends before."""
        while not requested.wait(_LOOK_SECONDS):
            self._check()

    def stop(self) -> list[Process]:
        """End all by one deadline: the collector, then the workers (both drain), the AWS last; returns what was killed."""
        deadline = time.monotonic() + STOP_SECONDS
        killed = [process for group in self._groups for process in group.stop(deadline)]
        remove_scratch(self._settings.local_dir)
        return killed

    def _check(self) -> None:
        for group in self._groups:
            group.check()


def owns_every_shard(clients: Clients, settings: Settings, application: str, since_ms: int) -> bool:
    """Whether each open shard of the stream has an owner of the application that showed itself at ``since_ms`` or later."""
    shards = list_shards(clients.kinesis, settings.stream)
    rows = ShardsTable(clients, settings).read(application)
    owned = {row.shard for row in rows if row.owner and row.updated_at >= since_ms}
    return owned >= {shard.shard_id for shard in shards if shard.is_open}


@contextmanager
def stop_requested() -> Iterator[Event]:
    """An event that SIGINT and SIGTERM set, as often as they come; the handlers that were there return at the end."""
    requested = Event()

    def request(_number: int, _frame: FrameType | None) -> None:
        requested.set()

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

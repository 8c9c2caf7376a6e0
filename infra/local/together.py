"""Every part of the platform at once: started in order, watched and started again, and ended in the opposite order.

The AWS comes first and goes last. The collector goes first, so that what it answered for is read; the workers drain
before the dashboard goes, so a reader sees their last answers.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from types import FrameType

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.needs import applications
from clickstream.errors import ClickstreamError
from clickstream.infra.local import functions, resources, roles
from clickstream.infra.local.processes import Children, Died, Heartbeat, Process, wait_until
from clickstream.infra.local.restarting import BUDGET, WINDOW_SECONDS, delay
from clickstream.infra.local.run import STOP_SECONDS, Run
from clickstream.infra.local.stack import Ports, Stack, answers, claim, launch, remove_scratch
from clickstream.progress.shards_table import ShardsTable
from clickstream.records.kinesis import list_shards
from clickstream.settings import Settings, child_environment
from clickstream.terminal import length

#: Whose role is not called as the part is.
_ROLES = {"collect": "collector", "serve": "serving"}
#: Three JVMs take over half a minute on a busy machine; a person sees what is waited for, and may end it.
READY_SECONDS = 120.0
_LOOK_SECONDS = 0.25


def names(*, unasked: bool = False) -> tuple[str, ...]:
    """Of all parts; ``unasked``: of those that start without being named. Each worker is a JVM of 150 MB."""
    workers = [name for name, needs in applications().items() if needs.starts_with_up or not unasked]
    return ("aws", *workers, "collect", "serve")


class Part(msgspec.Struct):
    """A command that is started again when it ends; its log is a new one each time."""

    name: str
    command: list[str]
    group: Children
    environment: dict[str, str] | None
    ends: list[float] = []
    """Of the monotonic clock."""

    def start(self, logs: Path) -> Path:
        number = f".{len(self.ends) + 1}" if self.ends else ""
        log = logs / f"{self.name}{number}.log"
        self.group.start(self.name, self.command, environment=self.environment, log=log)
        return log


class EndedTooOften(ClickstreamError):
    """A part that ends again and again."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for."""

    names: Collection[str]
    shards: int
    port: int
    collect_port: int
    ports: Ports
    state: Path | None = None
    limits: bool = True
    """Whether the embedded Kinesis enforces the limits of a shard."""
    origins: Sequence[str] = ()


class Parts:
    """The parts of one ``clickstream up``: :meth:`start`, :meth:`watch` until asked to stop, :meth:`stop` in any case."""

    def __init__(self, settings: Settings, run: Run, *, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._run = run
        self._say = say
        self.collecting, self.workers, self.serving, self.aws = (Children(on_start=run.started) for _ in range(4))
        self._groups = (self.collecting, self.workers, self.serving, self.aws)
        """In the order in which they end."""
        self._parts: dict[str, Part] = {}
        self._due: dict[str, tuple[float, Died]] = {}
        """Parts that ended: when to start each again, and how it ended."""
        self._kept = ""
        self._began = time.monotonic()

    def start(self, wanted: Wanted, requested: Event) -> Stack | None:
        """Start everything and wait until every part answers; returns the embedded AWS if it is a part.

        Raises UserMistake (a port is taken), Died or NotReady; KeyboardInterrupt when ``requested`` is set meanwhile.
        """
        names, ports = wanted.names, wanted.ports
        doors = {"serve": (wanted.port, "--port"), "collect": (wanted.collect_port, "--collect-port")}
        doors |= {"aws": (ports.aws, "--aws-port"), "kinesis": (ports.kinesis, "--kinesis-port")}
        here = [part for part in doors if part.replace("kinesis", "aws") in names]
        claimed = dict(zip(here, claim(*map(doors.__getitem__, here)), strict=True))
        port, collect_port = claimed.get("serve", wanted.port), claimed.get("collect", wanted.collect_port)
        stack = None
        if "aws" in names:
            ports = Ports(aws=claimed["aws"], kinesis=claimed["kinesis"])
            stack = launch(
                self.aws,
                self._run.folder,
                ports=ports,
                state=wanted.state,
                home=self._settings.local_dir,
                limits=wanted.limits,
                say=self._say,
                requested=requested,
            )
            self._settings = stack.settings
            self._kept = "; nothing is kept without --state DIR" if wanted.state is None else f"; kept in {wanted.state}"
        self._run.begin()
        self._say(f"logs in {self._run.logs}")
        clients = Clients(self._settings)
        resources.create(clients, self._settings, shards=wanted.shards)

        workers = [name for name in applications() if name in names]
        pace = {"CLICKSTREAM_POLLERS": str(len(workers))}

        def begin(group: Children, name: str, *arguments: str) -> None:
            command = [sys.executable, "-P", "-m", "clickstream.cli", *arguments]
            environment = None
            if stack is not None:
                role = roles.variables(self._settings.name, _ROLES.get(name, name))
                environment = child_environment(pace | stack.environment | role)
            self.begin(Part(name, command, group, environment))

        since_ms = int(time.time() * 1000)
        for name in workers:
            if stack is not None:
                if applications()[name].functions:
                    functions.deploy(clients, self._settings, applications()[name])
                resources.create_lease_tables(clients, self._settings, name)
            begin(self.workers, name, "worker", name)
        if "collect" in names:
            asked = [text for origin in wanted.origins for text in ("--origin", origin)]
            begin(self.collecting, "collect", "collect", "--port", str(collect_port), *asked)
        if "serve" in names:
            begin(self.serving, "serve", "serve", "--port", str(port))

        heartbeat = Heartbeat(self._say)
        deadline = time.monotonic() + READY_SECONDS

        def await_(name: str, condition: Callable[[], bool]) -> None:
            def check() -> None:
                for group in self._groups:
                    group.check()
                if requested.is_set():
                    raise KeyboardInterrupt
                heartbeat(f"waiting for {name}")

            wait_until(condition, name, deadline, check=check)

        if "serve" in names:
            await_("serve", lambda: answers(port, "/healthz"))
            self._run.shown_at(f"http://127.0.0.1:{port}")
            self._say(f"the dashboard is at http://127.0.0.1:{port}")
        if "collect" in names:
            await_("collect", lambda: answers(collect_port, "/healthz"))
            self._say(f"events go to http://127.0.0.1:{collect_port}/v1/events")
        for name in workers:
            await_(name, partial(owns_every_shard, clients, self._settings, name, since_ms))
        return stack

    def begin(self, part: Part) -> None:
        self._parts[part.name] = part
        part.start(self._run.logs)
        self._say(f"started {part.name}")

    def watch(self, requested: Event) -> None:
        """Return when ``requested`` is set; until then, start again what ends.

        Raises Died for the AWS, since what it holds goes with it, and EndedTooOften for what does not live.
        """
        while not requested.wait(_LOOK_SECONDS):
            self.aws.check()
            for group in self._groups[:-1]:
                try:
                    group.check()
                except Died as died:
                    self._note_end(died)
            self._start_what_is_due()

    def _note_end(self, died: Died) -> None:
        part, now = self._parts[died.process.name], time.monotonic()
        part.ends.append(now)
        after = delay(part.ends, now)
        if after is None:
            raise EndedTooOften(f"{died}, {BUDGET + 1} times within {WINDOW_SECONDS / 60:g} minutes")
        self._due[part.name] = (now + after, died)

    def _start_what_is_due(self) -> None:
        now = time.monotonic()
        for name in [name for name, (at, _) in self._due.items() if at <= now]:
            _, died = self._due.pop(name)
            log = self._parts[name].start(self._run.logs)
            self._say(f"{died}; started again (log: {log})")

    def stop(self) -> list[Process]:
        """End all by one deadline: the collector, then the workers (both drain), the AWS last; returns what was killed."""
        self._run.ending()
        began = time.monotonic()
        running = sum(group.size for group in self._groups)
        if running:
            self._say(f"stopping: the workers finish and keep what they have read, for at most {STOP_SECONDS:g} s")
        heartbeat = Heartbeat(self._say)
        killed = [process for group in self._groups for process in group.stop(began + STOP_SECONDS, heartbeat)]
        remove_scratch(self._run.folder)
        if running:
            ends = [f"{part.name} {len(part.ends)}" for part in self._parts.values() if part.ends]
            again = f"; ended before and started again: {', '.join(ends)}" if ends else ""
            took, ran = time.monotonic() - began, length(began - self._began)
            self._say(f"stopped {running} part{'' if running == 1 else 's'} in {took:.0f} s, after {ran}{again}{self._kept}")
        return killed


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

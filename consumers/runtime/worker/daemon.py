"""One worker of one KCL application, from settings to exit code."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog

from clickstream.aws import Clients
from clickstream.consumers.runtime.state import streams
from clickstream.consumers.runtime.worker import child, java, leases, zygote
from clickstream.consumers.runtime.worker.java import LOCALE, command_line
from clickstream.consumers.runtime.worker.properties import SHUTDOWN_GRACE_MS, ShardProcesses, WorkerPlan, derive, render
from clickstream.consumers.runtime.worker.supervisor import Processes, Supervisor
from clickstream.consumers.runtime.worker.worker_lock import lock
from clickstream.errors import ClickstreamError
from clickstream.failures.outages import asked, translated
from clickstream.platform import SHARDS
from clickstream.progress.shards_table import ShardsTable
from clickstream.records.kinesis import list_shards
from clickstream.settings import Settings, environment
from clickstream.telemetry import emf

log = structlog.get_logger()

#: After KCL's own grace the JVM still stops its clients and threads.
_JVM_END_S = 10.0
#: A worker that lived for so long did not die of what it was given at its start: on a quiet shard the count begins anew.
STEADY_S = 600.0
_SHARD_SH = Path(__file__).with_name("shard.sh")


def run(plan: WorkerPlan, settings: Settings) -> int:
    """Run the worker until SIGTERM or Ctrl-C; returns the exit code. What is missing is raised before anything starts."""
    folder = folder_of(settings)
    binary = java.find(settings)
    clients = Clients(settings)
    created = check(plan, clients, settings)
    count: Callable[[float], int] = lambda _: 0  # noqa: E731  # nothing to count at without a table
    if SHARDS.of(settings) in plan.tables:
        application = plan.application.removeprefix(f"{settings.name}-")
        streams.recognise(application, created, clients, settings)
        count = partial(count_death, application, plan.worker_id, Clients(settings, attempts=1), settings)
    lock_fd = lock(folder / f"{plan.worker_id}.lock")
    try:
        _prepare_requests(plan.shards.requests)
        properties = folder / f"{plan.worker_id}.properties"
        _write_private(properties, render(derive(plan, settings)))
        shards = list_shards(clients.kinesis, settings.stream)
        with translated("DynamoDB"):
            seeded = leases.prepare(plan.application, plan.worker_id, shards, clients, position=plan.initial_position)
        log.info("starting the KCL daemon", application=plan.application, worker=plan.worker_id, leases_seeded=seeded)
        processes = Processes(
            daemon=command_line(binary, properties, shards=sum(shard.is_open for shard in shards)),
            companion=plan.shards.companion,
            environment=environment(settings) | LOCALE | {"CLICKSTREAM_WORKER_ID": plan.worker_id, "PYTHONUTF8": "1"},
            inherited_fds=(lock_fd,),
        )
        drain_s = SHUTDOWN_GRACE_MS / 1000 + _JVM_END_S
        status = Supervisor(processes, plan.restarts, drain_s=drain_s, count=count).run()
        _release(plan, clients)
        return status
    finally:
        os.close(lock_fd)


def folder_of(settings: Settings) -> Path:
    """Where the workers of this machine keep their locks and properties."""
    return settings.local_dir.absolute() / "workers"


def check(plan: WorkerPlan, clients: Clients, settings: Settings) -> datetime:
    """Whether the stream and the tables are there; returns when the stream was made. Raises Missing or RetryLater."""
    with asked("Kinesis", f"stream {settings.stream} (region {settings.region})"):
        stream = clients.kinesis.describe_stream_summary(StreamName=settings.stream)["StreamDescriptionSummary"]
    for table in plan.tables:
        with asked("DynamoDB", f"table {table} (region {settings.region})"):
            clients.dynamodb.describe_table(TableName=table)
    return stream["StreamCreationTimestamp"]


def forked(application: str, directory: Path) -> ShardProcesses:
    """Shard processes of one of our applications: forks of a preloaded Python where the system can, else a Python each."""
    if sys.platform != "linux":
        return ShardProcesses(command=(sys.executable, "-P", "-m", "clickstream.consumers.runtime.worker.child", application))
    return ShardProcesses(
        command=("/bin/sh", str(_SHARD_SH), str(directory)),
        companion=partial(zygote.main, directory, partial(child.prepare, application)),
        requests=directory,
    )


def _prepare_requests(directory: Path | None) -> None:
    """The zygote's directory, empty but for its pipe: a shard that asks before the zygote is up waits at it."""
    if directory is None:
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    os.mkfifo(directory / "requests", 0o600)


def count_death(application: str, worker_id: str, clients: Clients, settings: Settings, lived_s: float) -> int:
    """Count one end of the worker at each of its shards; returns the least of their counts, 0 without a shard.

    A shard's next commit takes its count away. The count outlives the launcher and goes with the shard from worker to worker,
    so a fleet that dies slowly over one record is seen as well. A heartbeat takes nothing away: a shard's process still reports
    that it lives while the JVM before it has given up and takes half a minute to end.

    The least, because a worker of which any shard has moved since its last end is not one that cannot live. Best effort, and
    one try: a count that DynamoDB does not take is not held against the worker.
    """
    try:
        with translated("DynamoDB"):
            owned = leases.owned(settings.application(application), worker_id, clients.dynamodb)
        table = ShardsTable(clients, settings)
        counts = [table.count_death(application, shard, anew=lived_s >= STEADY_S) for shard in owned]
    except ClickstreamError as error:
        log.warning("the worker's end was not counted", reason=str(error))
        return 0
    if settings.metrics == "emf":
        worst = max(counts, default=1)
        dimensions, facts = {"application": application}, {"worker": worker_id}
        line = emf.line(time.time_ns() // 1_000_000, dimensions, {"clickstream_worker_deaths": worst}, facts)
        sys.stderr.write(line + "\n")
    return min(counts, default=0)


def _release(plan: WorkerPlan, clients: Clients) -> None:
    """Best effort: without it, other workers wait for the leases' expiry."""
    try:
        with translated("DynamoDB"):
            released = leases.release(plan.application, plan.worker_id, clients)
    except ClickstreamError as error:
        log.warning("the leases were not given up: others take them when they expire", reason=str(error))
    else:
        log.info("the worker has stopped", leases_released=released)


def _write_private(path: Path, text: str) -> None:
    """Overrides may hold what others on this machine should not read."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(text)

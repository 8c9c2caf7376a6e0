"""One worker of one KCL application, from settings to exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import structlog

from clickstream import java
from clickstream.aws import Clients
from clickstream.errors import ClickstreamError, Missing, UserMistake
from clickstream.settings import Settings, environment
from consumers.runtime import leases, topology
from consumers.runtime.jvm import JvmOptions, command_line
from consumers.runtime.outages import translated
from consumers.runtime.properties import InitialPosition, Retrieval, Tuning, derive, render
from consumers.runtime.restarts import RestartPolicy
from consumers.runtime.supervisor import Supervised, Supervisor
from consumers.runtime.worker_lock import WorkerLock

log = structlog.get_logger()

#: After KCL's own grace the JVM still stops its clients and threads.
_JVM_END_S = 10.0


class WorkerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what a worker does. ``command`` starts one shard's process."""

    application: str
    """The KCL application, which is also its lease table."""
    worker_id: str
    command: tuple[str, ...]
    retrieval: Retrieval = "polling"
    initial_position: InitialPosition = "TRIM_HORIZON"
    tuning: Tuning = Tuning()
    jvm: JvmOptions = JvmOptions()
    restarts: RestartPolicy = RestartPolicy()
    tables: tuple[str, ...] = ()
    """Tables that the shard processes need; a missing one is told before anything starts."""
    overrides: Mapping[str, str] = {}
    """Properties by a person's own hand: they win."""

    def properties(self, settings: Settings) -> dict[str, str]:
        derived = derive(
            settings,
            application=self.application,
            worker_id=self.worker_id,
            command=self.command,
            retrieval=self.retrieval,
            initial_position=self.initial_position,
            tuning=self.tuning,
        )
        return derived | dict(self.overrides)


def run(plan: WorkerPlan, settings: Settings) -> int:
    """Run the worker until SIGTERM or Ctrl-C; returns the exit code. Raises UserMistake before anything is started."""
    folder = settings.local_dir.absolute() / "workers"
    binary = java.find(settings)
    clients = Clients(settings)
    check(plan, clients, settings)
    lock = WorkerLock(folder / f"{plan.worker_id}.lock")
    try:
        properties = folder / f"{plan.worker_id}.properties"
        _write_private(properties, render(plan.properties(settings)))
        with translated("DynamoDB"):
            seeded = leases.prepare(
                plan.application,
                plan.worker_id,
                topology.all_shards(clients, settings),
                clients,
                position=plan.initial_position,
            )
        log.info("starting the KCL daemon", application=plan.application, worker=plan.worker_id, leases_seeded=seeded)
        supervised = Supervised(
            command=command_line(binary, properties, plan.jvm),
            environment=environment(settings) | {"CLICKSTREAM_WORKER_ID": plan.worker_id, "PYTHONUTF8": "1"},
            drain_s=plan.tuning.shutdown_grace_ms / 1000 + _JVM_END_S,
            inherited_fds=(lock.fd,),
        )
        status = Supervisor(supervised, plan.restarts).run()
        _release(plan, clients)
        return status
    finally:
        lock.close()


def check(plan: WorkerPlan, clients: Clients, settings: Settings) -> None:
    """Whether the stream and the tables are there; raises Missing or UserMistake with a hint."""
    from botocore.exceptions import BotoCoreError, ClientError

    hint = "clickstream local start makes them on this machine; on AWS the stack does"
    try:
        clients.kinesis.describe_stream_summary(StreamName=settings.stream)
        for table in plan.tables:
            clients.dynamodb.describe_table(TableName=table)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code != "ResourceNotFoundException":
            raise UserMistake(
                f"AWS refused {error.operation_name}: {code}", hint="check the credentials and the region"
            ) from error
        missing = f"table {table}" if error.operation_name == "DescribeTable" else f"stream {settings.stream}"
        raise Missing(f"{missing} is not there (region {settings.region})", hint=hint) from error
    except BotoCoreError as error:
        raise UserMistake(
            f"AWS does not answer: {error}", hint="is AWS_ENDPOINT_URL right, and `clickstream local` up?"
        ) from error


def shard_command(arguments: Sequence[str]) -> tuple[str, ...]:
    """The command of a Python module that serves one shard, under this very interpreter."""
    return (sys.executable, "-m", *arguments)


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

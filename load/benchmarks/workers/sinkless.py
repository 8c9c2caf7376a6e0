"""A worker of ours whose effects are made and discarded; state and commits are as in production.

``python -m clickstream.load.benchmarks.workers.sinkless worker APPLICATION`` replaces ``clickstream worker``; with
``zygote APPLICATION DIRECTORY`` it is the process below that forks the shards.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clickstream.application import Application, Fold, Sink
from clickstream.aws import Clients
from clickstream.consumers.runtime.worker import child, daemon, properties, zygote
from clickstream.consumers.runtime.worker.parent_death import end_with_parent
from clickstream.records.position import Position
from clickstream.settings import Settings, from_env
from clickstream.telemetry import logs


class Nowhere:
    """See ``clickstream.application.Sink``."""

    def write(self, effects: Sequence[Any], position: Position) -> None:
        """Nothing is kept."""


class Sinkless:
    """An application, but for its sink."""

    def __init__(self, application: Application) -> None:
        self.name = application.name
        self._application = application

    def open_fold(self, shard_id: str) -> Fold:
        return self._application.open_fold(shard_id)

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings) -> Sink:
        return Nowhere()


def work(application: str) -> int:
    settings = from_env()
    name = settings.application(application)
    directory = daemon.folder_of(settings) / f"{name}-1.shards"
    forked = daemon.forked(application, directory)
    companion = (sys.executable, "-m", "clickstream.load.benchmarks.workers.sinkless", "zygote", application, str(directory))
    shards = properties.ShardProcesses(command=forked.command, companion=companion, requests=directory)
    return daemon.run(properties.WorkerPlan(application=name, worker_id=f"{name}-1", shards=shards), settings)


def fork(application: str, directory: Path) -> int:
    """As ``clickstream.consumers.runtime.worker.zygote.main``."""
    end_with_parent()
    settings = from_env()
    whole = Sinkless(child.load_application(application))
    prepared = child.Prepared(whole, child.Aws(whole, settings), settings)
    child.tune_garbage_collector()
    logs.to_stderr(settings.log_level, readable=False)
    requests = zygote.open_requests(directory)
    (directory / "ready").touch()
    return zygote.fork_until_one_dies(requests, directory, lambda: child.run(prepared))


if __name__ == "__main__":
    what, application, *rest = sys.argv[1:]
    sys.exit(work(application) if what == "worker" else fork(application, Path(rest[0])))

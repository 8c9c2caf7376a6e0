"""A worker of ours whose effects are made and discarded; state and commits are as in production.

``python -m clickstream.load.benchmarks.workers.sinkless APPLICATION`` replaces ``clickstream worker``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from clickstream.application import Application, Fold, Sink
from clickstream.aws import Clients
from clickstream.consumers.runtime.worker import child, daemon, properties, zygote
from clickstream.records.position import Position
from clickstream.settings import Settings, from_env


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
    companion = partial(zygote.main, directory, partial(prepare, application))
    shards = properties.ShardProcesses(command=forked.command, companion=companion, requests=directory)
    return daemon.run(properties.WorkerPlan(application=name, worker_id=f"{name}-1", shards=shards), settings)


def prepare(application: str, settings: Settings) -> child.Prepared:
    whole = Sinkless(child.load_application(application))
    return child.Prepared(whole, child.Aws(whole, settings), settings)


if __name__ == "__main__":
    sys.exit(work(sys.argv[1]))

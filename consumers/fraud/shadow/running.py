"""Runs a candidate's worker until it has read what the stream held when it began, and reads what it thought (DynamoDB)."""

import os
import signal
import threading
import time
from contextlib import suppress

from clickstream.aws import Clients
from clickstream.aws.items import query
from clickstream.consumers.fraud.crossing.freshness import OtherShards
from clickstream.consumers.fraud.needs import DECISIONS, OUTCOMES
from clickstream.consumers.fraud.shadow.opinion_items import PARTITIONS, Opinion, opinions_of, window
from clickstream.consumers.fraud.shadow.sink import name_of
from clickstream.consumers.runtime.worker.daemon import folder_of, forked, run
from clickstream.consumers.runtime.worker.properties import WorkerPlan
from clickstream.errors import ClickstreamError, RetryLater
from clickstream.failures.outages import translated
from clickstream.platform import SHARDS
from clickstream.progress.shards_table import ShardsTable
from clickstream.settings import Settings

_LOOK_S = 0.5


def follow(version: str, clients: Clients, settings: Settings, *, until_ms: int) -> bool:
    """Run the worker until everything put before ``until_ms`` has been scored; False when a signal ended it earlier.

    A second run of the same version goes on where the first one ended.
    """
    application = name_of(version)
    worker_id = f"{settings.application(application)}-1"
    plan = WorkerPlan(
        application=settings.application(application),
        worker_id=worker_id,
        shards=forked(f"clickstream.consumers.fraud.shadow.sink@{version}", folder_of(settings) / f"{worker_id}.shards"),
        tables=(SHARDS.of(settings), DECISIONS.of(settings), OUTCOMES.of(settings)),
    )
    done, ended = threading.Event(), threading.Event()

    def watch() -> None:
        shards = OtherShards(clients, settings, application, shard_id="")
        while not ended.wait(_LOOK_S):
            try:
                told_ms = shards.told_up_to(time.time_ns() // 1_000_000)
            except RetryLater:
                continue  # asked again; the worker itself says what it waits for
            if until_ms <= told_ms < float("inf"):
                done.set()
                os.kill(os.getpid(), signal.SIGTERM)  # which the supervisor takes as its order to drain
                return

    watcher = threading.Thread(target=watch, name="shadow", daemon=True)
    watcher.start()
    try:
        run(plan, settings)
    finally:
        ended.set()
        watcher.join()
        # its end is meant, whoever ended it: nobody is to be woken by its silence
        with suppress(ClickstreamError):
            ShardsTable(clients, settings).retire(application, time.time_ns() // 1_000_000)
    return done.is_set()


def opinions(version: str, clients: Clients, settings: Settings) -> list[Opinion]:
    """Everything that the candidate was asked. Raises RetryLater."""
    found: list[Opinion] = []
    for partition in range(PARTITIONS):
        with translated("DynamoDB"):
            request = query(OUTCOMES.of(settings), "#window = :window", {"window": window(version, partition)})
            for page in clients.dynamodb.get_paginator("query").paginate(**request):
                found += opinions_of(page["Items"])
    return found

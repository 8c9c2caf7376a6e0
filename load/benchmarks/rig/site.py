"""Where whole workers are measured: an embedded AWS, and the programs that run on it, observed from outside.

A worker is started by the command that a person would use. Whether its shards move is read from the shards table.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
from hdrh.histogram import HdrHistogram

from clickstream.aws import Clients
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.infra.local import resources, stack
from clickstream.infra.local.processes import Children, Process
from clickstream.platform import SHARDS
from clickstream.records.kinesis import list_shards
from clickstream.settings import Settings, environment, from_env

_LOOK_S = 0.05


class Timeout(Exception):
    """What was waited for did not come."""


class Site:
    """A stream, the stores and the workers of one measurement; :meth:`close` ends them all."""

    def __init__(self, *, shards: int) -> None:
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="clickstream-site-")))
        aws = self._stack.enter_context(stack.local_aws(self.folder, home=from_env().local_dir))
        self.servers = aws.processes
        # what is timed is read off commits, so they come every second
        self.settings: Settings = msgspec.structs.replace(aws.settings, local_dir=self.folder, commit_s=1.0)
        self.clients = Clients(self.settings)
        resources.create(self.clients, self.settings, shards=shards)
        self.children = self._stack.enter_context(Children(grace=60))

    def close(self) -> None:
        self._stack.close()

    def start_worker(self, application: str, name: str = "1") -> Process:
        """``clickstream worker APP -w NAME``."""
        command = [sys.executable, "-m", "clickstream.cli", "worker", application, "-w", name]
        return self.start(f"{application}-{name}", command)

    def start(self, name: str, command: list[str]) -> Process:
        """Any program, with this AWS in its environment."""
        return self.children.start(
            name, command, environment=environment(self.settings), log=self.folder / f"{name}-{time.time_ns()}.log"
        )

    def open_shards(self) -> list[str]:
        return [shard.shard_id for shard in list_shards(self.clients.kinesis, self.settings.stream) if shard.is_open]

    def committed(self, application: str, attribute: str) -> dict[str, int]:
        """A number of each shard's item as of its last commit, 0 before the first."""
        return {shard: int(text or 0) for shard, text in self.attributes(application, attribute, "N").items()}

    def attributes(self, application: str, attribute: str, kind: str = "S") -> dict[str, str]:
        """An attribute of each shard's item by shard id, empty before the first commit."""
        items = self.clients.dynamodb.query(
            TableName=SHARDS.of(self.settings),
            KeyConditionExpression="application = :application",
            ExpressionAttributeValues={":application": {"S": application}},
            ConsistentRead=True,
        )["Items"]
        return {item["shard"]["S"]: str(dict(item.get(attribute, {})).get(kind, "")) for item in items}

    def latencies(self, application: str) -> Counter[int]:
        """Milliseconds from a record's arrival to its visible effect → how often, since the worker started."""
        counted: Counter[int] = Counter()
        for encoded in self.attributes(application, "latency").values():
            if encoded:
                for item in HdrHistogram.decode(encoded).get_recorded_iterator():
                    counted[item.value_iterated_to] += item.count_added_in_this_iter_step
        return counted

    def clear(self) -> None:
        """As if nothing had ever been committed or answered here."""
        dynamodb, settings = self.clients.dynamodb, self.settings
        for table, keys in ((SHARDS.of(settings), ("application", "shard")), (AGGREGATES.of(settings), ("window", "part"))):
            for page in dynamodb.get_paginator("scan").paginate(TableName=table):
                for item in page["Items"]:
                    dynamodb.delete_item(TableName=table, Key={key: item[key] for key in keys})

    def forget(self, application: str) -> None:
        """As if the application had never run here: neither leases nor positions."""
        name = self.settings.application(application)
        for table in (name, f"{name}-CoordinatorState", f"{name}-WorkerMetricStats"):
            self.clients.dynamodb.delete_table(TableName=table)
        for shard in self.committed(application, "epoch"):
            key = {"application": {"S": application}, "shard": {"S": shard}}
            self.clients.dynamodb.delete_item(TableName=SHARDS.of(self.settings), Key=key)


def wait(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Poll until it holds; raises Timeout."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Timeout(f"{what} did not come within {seconds:.0f} s")
        time.sleep(_LOOK_S)


def now_ms() -> int:
    """The clock that the embedded Kinesis stamps records with."""
    return time.time_ns() // 1_000_000

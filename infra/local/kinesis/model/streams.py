"""The state of one stream: what a durable server writes to disk, and what exists only in memory."""

from __future__ import annotations

import msgspec

from clickstream.infra.local.kinesis.model.log import ShardLog
from clickstream.infra.local.kinesis.model.meters import ShardMeter
from clickstream.infra.local.kinesis.model.shards import Shard, ShardGraph
from clickstream.infra.local.limits.kinesis import MIN_RECORD_KIB
from clickstream.infra.local.limits.units import KIB

PROVISIONED = "PROVISIONED"
ON_DEMAND = "ON_DEMAND"
MODES = (PROVISIONED, ON_DEMAND)
HOUR_MS = 3_600_000


class Created(msgspec.Struct, frozen=True, tag="created"):
    """CREATING → ACTIVE."""


class Deleted(msgspec.Struct, frozen=True, tag="deleted"):
    """DELETING → gone."""


class Split(msgspec.Struct, frozen=True, tag="split"):
    """UPDATING; the parent takes records until the change is made."""

    shard_index: int
    new_start: bytes


class Merge(msgspec.Struct, frozen=True, tag="merge"):
    """UPDATING; the parents take records until the change is made."""

    shard_index: int
    adjacent_index: int


class Scale(msgspec.Struct, frozen=True, tag="scale"):
    """UPDATING; the shards take records until the change is made."""

    count: int


class Setting(msgspec.Struct, frozen=True, tag="setting"):
    """UPDATING after a change that touches no shard (mode, encryption, record size)."""


Change = Created | Deleted | Split | Merge | Scale | Setting


class Pending(msgspec.Struct, frozen=True):
    """A change that was accepted and is made at ``ready_ms``."""

    change: Change
    ready_ms: int


class Consumer(msgspec.Struct, kw_only=True):
    """A registered enhanced fan-out consumer."""

    name: str
    arn: str
    created_ms: int
    active_from_ms: int
    gone_from_ms: int | None = None
    """Set by DeregisterStreamConsumer."""

    def status(self, now_ms: int) -> str:
        if self.gone_from_ms is not None:
            return "DELETING"
        return "ACTIVE" if now_ms >= self.active_from_ms else "CREATING"


class StreamState(msgspec.Struct, kw_only=True):
    """Everything about a stream but its records."""

    name: str
    arn: str
    created_ms: int
    shards: list[Shard] = []
    next_shard_index: int = 0
    counters: dict[int, int] = {}
    """Shard index → counter of its next record."""
    mode: str = PROVISIONED
    retention_hours: int = 24
    max_record_kib: int = MIN_RECORD_KIB
    encryption_key: str | None = None
    warm_mibps: int | None = None
    distribution: str | None = None
    """RecordDistributionStrategy: stored and shown; records are routed by their keys either way."""
    metrics: list[str] = []
    tags: dict[str, str] = {}
    policies: dict[str, str] = {}
    """Resource ARN (the stream's or a consumer's) → policy document."""
    consumers: dict[str, Consumer] = {}
    consumer_tags: dict[str, dict[str, str]] = {}
    pending: Pending | None = None


class Stream:
    """A stream in memory: its state, shard graph, logs and meters."""

    def __init__(self, state: StreamState) -> None:
        self.state = state
        self.graph = ShardGraph(state.shards, state.next_shard_index)
        self.logs: dict[int, ShardLog] = {}
        self.meters: dict[int, ShardMeter] = {}
        self.open_logs()

    def open_logs(self) -> None:
        """Give every shard that has none a log, and take the logs of expired shards away."""
        for index, shard in self.graph.shards.items():
            if index not in self.logs:
                self.logs[index] = ShardLog(self.state.counters.get(index, 1), shard.created_ms)
                self.meters[index] = ShardMeter(shard.created_ms)
        for index in self.logs.keys() - self.graph.shards.keys():
            del self.logs[index], self.meters[index]

    def snapshot(self) -> StreamState:
        """The current state, for the journal."""
        state = self.state
        state.shards = list(self.graph.shards.values())
        state.next_shard_index = self.graph.next_index
        state.counters = {index: log.next_counter for index, log in self.logs.items()}
        return state

    @property
    def status(self) -> str:
        match self.state.pending:
            case None:
                return "ACTIVE"
            case Pending(change=Created()):
                return "CREATING"
            case Pending(change=Deleted()):
                return "DELETING"
            case _:
                return "UPDATING"

    @property
    def encryption(self) -> str:
        return "NONE" if self.state.encryption_key is None else "KMS"

    @property
    def max_record_bytes(self) -> int:
        return self.state.max_record_kib * KIB

    def horizon_ms(self, now_ms: int) -> int:
        """Records that arrived before this time are no longer retained."""
        return now_ms - self.state.retention_hours * HOUR_MS

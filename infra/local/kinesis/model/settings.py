"""How a model behaves where AWS leaves a choice, or where a laptop is no data centre."""

from __future__ import annotations

import msgspec

from clickstream.infra.local.limits.kinesis import MAX_RECORD_KIB, MIN_RECORD_KIB

DEFAULT_REGION = "us-east-1"


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The choices for one account and region."""

    region: str = DEFAULT_REGION
    seed: int = 0
    """Seals tokens and draws faults; two models with one seed behave alike and open each other's iterators."""
    enforce_limits: bool = False
    """Per-shard write and read limits, and the bounds of UpdateShardCount (at most double, at least half)."""
    shard_quota: int = 500
    """Open shards of all provisioned streams together."""
    transition_ms: int = 0
    """How long a stream or a consumer stays CREATING, UPDATING or DELETING."""
    retention_bytes: int | None = None
    """Bytes retained per shard, whatever the retention period says."""
    max_record_kib: int = MIN_RECORD_KIB
    """Record size of a stream that was created without one, 1024 to 10240."""

    def __post_init__(self) -> None:
        if not MIN_RECORD_KIB <= self.max_record_kib <= MAX_RECORD_KIB:
            raise ValueError(f"max_record_kib must be {MIN_RECORD_KIB} to {MAX_RECORD_KIB}")

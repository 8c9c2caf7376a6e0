"""Operations on the account: its limits and its commitment to a throughput."""

from __future__ import annotations

import msgspec

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.kinesis.model.errors import LimitExceededException, ValidationException
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.streams import ON_DEMAND, Stream
from clickstream.infra.local.kinesis.model.validation import check
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.limits import constraints


class AccountLimits(msgspec.Struct, frozen=True):
    """The answer to DescribeLimits."""

    shard_limit: int
    open_shard_count: int
    on_demand_stream_count: int
    on_demand_stream_count_limit: int = 50


@operation
def describe_limits(kinesis: Kinesis, now_ms: int) -> AccountLimits:
    provisioned = _provisioned(kinesis, now_ms)
    return AccountLimits(
        kinesis.settings.shard_quota,
        sum(len(stream.graph.open_shards) for stream in provisioned),
        len(kinesis.streams) - len(provisioned),
    )


@operation
def update_account_settings(kinesis: Kinesis, status: str | None, now_ms: int) -> None:
    check(
        constraints.required("minimumThroughputBillingCommitment.status", status)
        or constraints.one_of("minimumThroughputBillingCommitment.status", status, ("ENABLED", "DISABLED"))
    )
    kinesis.committed_ms = (kinesis.committed_ms or now_ms) if status == "ENABLED" else None


def check_shard_quota(kinesis: Kinesis, more: int, now_ms: int) -> None:
    """Refuse to open ``more`` shards above the account's quota; on-demand streams do not count."""
    in_use = sum(len(stream.graph.open_shards) for stream in _provisioned(kinesis, now_ms))
    if more > 0 and in_use + more > kinesis.settings.shard_quota:
        raise LimitExceededException(
            f"This request would exceed the shard limit for the account {ACCOUNT} in {kinesis.settings.region}. "
            f"Current shard count for the account: {in_use}. Limit: {kinesis.settings.shard_quota}. "
            f"Number of additional shards that would have resulted from this request: {more}. "
        )


def check_warm(kinesis: Kinesis, mode: str, mibps: int | None) -> None:
    """Refuse a warm throughput where it may not be."""
    check(constraints.between("warmThroughputMiBps", mibps, 0))
    if mibps and mode != ON_DEMAND:
        raise ValidationException("WarmThroughputMiBps is only for ON_DEMAND streams.")
    if mibps and kinesis.committed_ms is None:
        raise ValidationException("WarmThroughputMiBps needs MinimumThroughputBillingCommitment to be ENABLED.")


def _provisioned(kinesis: Kinesis, now_ms: int) -> list[Stream]:
    return [stream for stream in kinesis.existing(now_ms) if stream.state.mode != ON_DEMAND]

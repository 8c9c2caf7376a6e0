"""Operations on shard-level metrics, which are stored and shown but not published."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from infra.local.kinesis.model.kinesis import Kinesis
from infra.local.kinesis.model.streams import Stream
from infra.local.kinesis.model.validation import check
from infra.local.kinesis.operations.operation import operation
from infra.local.limits import constraints

METRICS = (
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
)


class MetricsChange(msgspec.Struct, frozen=True):
    """Shard-level metrics before and after."""

    stream: Stream
    current: list[str]
    desired: list[str]


@operation
def enable_enhanced_monitoring(
    kinesis: Kinesis, stream: str | None, metrics: Sequence[str] | None, now_ms: int
) -> MetricsChange:
    chosen = _metrics(metrics)
    found = kinesis.idle(stream, now_ms)
    before = list(found.state.metrics)
    found.state.metrics = [one for one in METRICS if one in before or one in chosen]
    kinesis.journal.changed(found)
    return MetricsChange(found, before, list(found.state.metrics))


@operation
def disable_enhanced_monitoring(
    kinesis: Kinesis, stream: str | None, metrics: Sequence[str] | None, now_ms: int
) -> MetricsChange:
    chosen = _metrics(metrics)
    found = kinesis.idle(stream, now_ms)
    before = list(found.state.metrics)
    found.state.metrics = [one for one in before if one not in chosen]
    kinesis.journal.changed(found)
    return MetricsChange(found, before, list(found.state.metrics))


def _metrics(metrics: Sequence[str] | None) -> set[str]:
    check(
        constraints.required("shardLevelMetrics", metrics) or constraints.length("shardLevelMetrics", metrics, 1, 7),
        *(constraints.one_of("shardLevelMetrics.member", one, (*METRICS, "ALL")) for one in metrics or ()),
    )
    return set(METRICS) if "ALL" in (metrics or ()) else set(metrics or ())

"""Operations on shard-level metrics, which are stored and shown but not published."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.streams import Stream
from clickstream.infra.local.kinesis.model.validation import check
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.limits import constraints

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
    return _replace_metrics(kinesis, found, chosen.union(found.state.metrics))


@operation
def disable_enhanced_monitoring(
    kinesis: Kinesis, stream: str | None, metrics: Sequence[str] | None, now_ms: int
) -> MetricsChange:
    chosen = _metrics(metrics)
    found = kinesis.idle(stream, now_ms)
    return _replace_metrics(kinesis, found, set(found.state.metrics) - chosen)


def _replace_metrics(kinesis: Kinesis, stream: Stream, desired: set[str]) -> MetricsChange:
    before = list(stream.state.metrics)
    stream.state.metrics = [metric for metric in METRICS if metric in desired]
    kinesis.journal.changed(stream)
    return MetricsChange(stream, before, list(stream.state.metrics))


def _metrics(metrics: Sequence[str] | None) -> set[str]:
    check(
        constraints.required("shardLevelMetrics", metrics) or constraints.length("shardLevelMetrics", metrics, 1, 7),
        *(constraints.one_of("shardLevelMetrics.member", one, (*METRICS, "ALL")) for one in metrics or ()),
    )
    return set(METRICS) if "ALL" in (metrics or ()) else set(metrics or ())

"""The read model: windows merged over shards and parts, and how far the shards have come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from clickstream.aws import Clients
from clickstream.completeness import Arrival, Completeness
from clickstream.completeness import completeness as completeness_of
from clickstream.errors import Missing
from clickstream.platform import SHARDS
from clickstream.settings import Settings
from consumers.analytics import NAME, rows, windows
from consumers.analytics.answers import Funnel, Top, WindowView, answer
from consumers.analytics.needs import AGGREGATES
from consumers.analytics.rows import RowContent
from consumers.analytics.totals import Total
from consumers.analytics.uniques import Estimate
from consumers.analytics.windows import Granularity
from consumers.runtime.faults.outages import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import QueryInputPaginateTypeDef

#: what an application publishes for others to read stands behind this module alone
__all__ = [
    "NAME",
    "Aggregates",
    "Estimate",
    "Funnel",
    "Granularity",
    "RowContent",
    "ShardProgress",
    "Top",
    "Total",
    "Wait",
    "WindowView",
    "complete_to",
    "completeness",
    "put_to_visible",
]


class ShardProgress(Arrival, frozen=True, kw_only=True):
    """One application on one shard as of its last commit or heartbeat; times in milliseconds since the epoch.

    ``behind_ms`` is None, and the counters are 0, while the first owner has not committed yet. ``latency`` is a base64
    HdrHistogram of put-to-visible-effect milliseconds. ``committed_at`` is the last commit's time, where ``updated_at`` is also
    a heartbeat's. ``breakers``: dependencies that count as down → ``open`` or ``half-open``. ``waiting``: what it is
    not allowed to do, as ``action``, ``resource`` and ``since``; empty when nothing.
    """

    application: str
    shard: str
    position: str | None = None
    owner: str = ""
    ended: bool = False
    events: int = 0
    dead_letters: int = 0
    duplicates: int = 0
    foreign: int = 0
    watermark_ms: int = 0
    arrived_ms: int = 0
    behind_ms: int | None = None
    updated_at: int = 0
    committed_at: int = 0
    latency: str = ""
    breakers: dict[str, str] = msgspec.field(default_factory=dict)
    waiting: dict[str, str | int] = msgspec.field(default_factory=dict)
    deaths: int = 0
    """How often its worker ended by itself since the shard last committed."""


class Aggregates:
    """Answers from the aggregates table. Raises RetryLater when DynamoDB does not answer, Missing when there is no table."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._dynamodb = clients.dynamodb
        self._aggregates = AGGREGATES.of(settings)
        self._shards = SHARDS.of(settings)

    def windows(self, granularity: str, start_ms: int, end_ms: int, *, top: int = 100) -> list[WindowView]:
        """The windows that overlap ``[start_ms, end_ms)`` and hold any event, in order of time, complete or not.

        ``granularity``: minute, hour or day; ``top``: keys per ranking.
        """
        wanted = Granularity(granularity)
        start_ms = wanted.floor_ms(start_ms)
        end_ms = wanted.floor_ms(end_ms + wanted.ms - 1)
        found: dict[int, list[RowContent]] = {}
        for row_start_ms, content in self.rows(wanted, start_ms, end_ms):
            found.setdefault(wanted.floor_ms(row_start_ms), []).append(content)
        return [answer(wanted, window_start, found[window_start], top) for window_start in sorted(found)]

    def rows(self, granularity: str, start_ms: int, end_ms: int) -> Iterator[tuple[int, RowContent]]:
        """(start of the stored window, content) of every row of ``[start_ms, end_ms)``; days are made of the hours' rows."""
        stored = Granularity.MINUTE if granularity == Granularity.MINUTE else Granularity.HOUR
        for partition in windows.partitions(stored.minutes, start_ms, end_ms):
            query: QueryInputPaginateTypeDef = {
                "TableName": self._aggregates,
                "KeyConditionExpression": "#window = :window AND #part BETWEEN :first AND :last",
                "ProjectionExpression": "#part, #partial",
                "ExpressionAttributeNames": {"#window": "window", "#part": "part", "#partial": "partial"},
                "ExpressionAttributeValues": {
                    ":window": {"S": partition},
                    ":first": {"S": f"{start_ms:014d}"},
                    # a row's key goes on with "#" after its start, so rows that start at the end sort behind it
                    ":last": {"S": f"{end_ms:014d}"},
                },
                "ConsistentRead": True,  # what `complete_to` promises must be in the answer
            }
            for item in self._items(self._dynamodb.get_paginator("query").paginate(**query)):
                yield windows.start_of(item["part"]["S"]), rows.decode(item["partial"]["B"])

    def progress(self) -> list[ShardProgress]:
        """Every shard that any application ever took, in order of applications and shards."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._shards, ConsistentRead=True)
        # keys that begin with "#" are reserved for what is not a shard
        shards = [_shard_progress(item) for item in self._items(pages) if not item["shard"]["S"].startswith("#")]
        return sorted(shards, key=lambda shard: (shard.application, shard.shard))

    def completeness(self) -> Completeness:
        """See :func:`completeness`."""
        return completeness(self.progress())

    def _items(self, pages: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        with translated("DynamoDB"):
            try:
                for page in pages:
                    yield from page["Items"]
            except self._dynamodb.exceptions.ResourceNotFoundException as error:
                raise Missing(
                    f"no table {self._aggregates} or {self._shards}",
                    hint="start the local AWS (`clickstream local start`), or set AWS_ENDPOINT_URL",
                ) from error


def completeness(shards: Iterable[ShardProgress]) -> Completeness:
    """Of the analytics application, out of the progress of all; see :mod:`clickstream.completeness`."""
    return completeness_of(shard for shard in shards if shard.application == NAME)


def complete_to(completeness: Completeness, granularity: str) -> int | None:
    """Event time (ms): windows of this width that end by then are complete."""
    return completeness.minutes_to if granularity == Granularity.MINUTE else completeness.complete_to


class Wait(msgspec.Struct, frozen=True):
    """From the put of an event to its visible effect, sampled: medians and tails in ms."""

    p50_ms: int
    p99_ms: int
    samples: int


def put_to_visible(shards: Iterable[ShardProgress]) -> Wait | None:
    """Over these shards since their processes started; None without a sample."""
    # 60 ms of imports, which a question about windows does not pay
    from hdrh.histogram import HdrHistogram

    histograms = [HdrHistogram.decode(shard.latency) for shard in shards if shard.latency]
    if not histograms:
        return None
    merged, *others = histograms
    for other in others:
        merged.add(other)
    p50, p99 = (int(merged.get_value_at_percentile(percent)) for percent in (50, 99))
    return Wait(p50, p99, int(merged.get_total_count()))


def _shard_progress(item: Mapping[str, Any]) -> ShardProgress:
    fields = {name: _plain(value) for name, value in item.items() if name in ShardProgress.__struct_fields__}
    return msgspec.convert(fields, ShardProgress)


def _plain(value: Mapping[str, Any]) -> Any:
    """One attribute of DynamoDB: a number is an integer here, text and truth values stay."""
    kind, content = next(iter(value.items()))
    if kind == "M":
        return {name: _plain(inner) for name, inner in content.items()}
    return int(content) if kind == "N" else content

"""The read model: windows merged over shards and parts, and how far the shards have come."""

from collections.abc import Iterable, Iterator

import msgspec

from clickstream.answers.uniques import Estimate
from clickstream.aws import Clients
from clickstream.aws.items import query
from clickstream.consumers.analytics import NAME, aggregate_rows, windows
from clickstream.consumers.analytics.aggregate_rows import RowContent
from clickstream.consumers.analytics.counting.totals import Funnel, Total, WindowView, answer
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.analytics.ranking import Top
from clickstream.consumers.analytics.windows import MINUTE_MS, Granularity
from clickstream.consumers.explain.life import Effect, Put
from clickstream.events import AnyEvent
from clickstream.failures.outages import asked, translated
from clickstream.progress.completeness import Completeness
from clickstream.progress.completeness import completeness as completeness_of
from clickstream.progress.shards_table import ShardProgress, ShardsTable
from clickstream.settings import Settings

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


class Aggregates:
    """Answers from the aggregates table. Raises RetryLater when DynamoDB does not answer, Missing when there is no table."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._dynamodb = clients.dynamodb
        self._aggregates = AGGREGATES.of(settings)
        self._shards = ShardsTable(clients, settings)

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
            # a row's key goes on with "#" after its start, so rows that start at the end sort behind it
            wanted = {"window": partition, "first": f"{start_ms:014d}", "last": f"{end_ms:014d}"}
            request = query(
                self._aggregates,
                "#window = :window AND #part BETWEEN :first AND :last",
                wanted,
                ProjectionExpression="#part, #partial",
            )
            with asked("DynamoDB", f"table {self._aggregates}"):
                for page in self._dynamodb.get_paginator("query").paginate(**request):
                    for item in page["Items"]:
                        yield windows.start_of(item["part"]["S"]), aggregate_rows.decode(item["partial"]["B"])

    def progress(self) -> list[ShardProgress]:
        """Every shard that any application ever took, in order of applications and shards."""
        return self._shards.read()

    def completeness(self) -> Completeness:
        return completeness(self.progress())


def completeness(shards: Iterable[ShardProgress]) -> Completeness:
    """Of the analytics application, out of the progress of all; see :mod:`clickstream.progress.completeness`."""
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


def look(clients: Clients, settings: Settings, event: AnyEvent, put: Put) -> Effect | None:
    """The row of the event's minute on its shard, if it was written at the event's position or later."""
    start_ms = event.occurred_at - event.occurred_at % MINUTE_MS
    wanted = {"window": windows.partition(1, start_ms), "part": f"{start_ms:014d}#{put.shard}#"}
    condition = "#window = :window AND begins_with(#part, :part)"
    request = query(AGGREGATES.of(settings), condition, wanted, ProjectionExpression="#part, #position")
    with translated("DynamoDB"):
        found = clients.dynamodb.query(**request)
    rows = [item for item in found["Items"] if item["position"]["S"] >= str(put.position)]
    if not rows:
        return None
    return Effect(what="counted in its minute", facts={"minute": start_ms, "row": rows[0]["part"]["S"]})

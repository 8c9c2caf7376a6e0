"""The read model: windows merged over shards and parts, and how far the shards have come."""

from collections.abc import Iterable, Iterator

import msgspec

from clickstream.answers.uniques import Estimate
from clickstream.aws import Clients
from clickstream.aws.items import query
from clickstream.consumers.analytics import NAME, aggregate_rows, windows
from clickstream.consumers.analytics.aggregate_rows import Counters, RowContent
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
        """(stored window's start, content) of every row of ``[start_ms, end_ms)``, counters the newest; days are of hours."""
        stored = Granularity.MINUTE if granularity == Granularity.MINUTE else Granularity.HOUR
        moving = self._moving()  # before the rows: what a shard shows here no longer is in its row by now
        for partition in windows.partitions(stored.minutes, start_ms, end_ms):
            # a row's key goes on with "#" after its start, so rows that start at the end sort behind it
            wanted = {"window": partition, "first": f"{start_ms:014d}", "last": f"{end_ms:014d}"}
            request = query(
                self._aggregates,
                "#window = :window AND #part BETWEEN :first AND :last",
                wanted,
                ProjectionExpression="#part, #partial, #position",
            )
            with asked("DynamoDB", f"table {self._aggregates}"):
                for page in self._dynamodb.get_paginator("query").paginate(**request):
                    for item in page["Items"]:
                        position, newer = moving.pop((stored.minutes, item["part"]["S"]), ("", None))
                        content = aggregate_rows.decode(item["partial"]["B"])
                        if newer is not None and position > item["position"]["S"]:
                            content = newer.over(content)
                        yield windows.start_of(item["part"]["S"]), content
        for _, newer in moving.values():
            if newer.window.width == stored.minutes and start_ms <= newer.window.start * MINUTE_MS < end_ms:
                yield newer.window.start * MINUTE_MS, newer.over(aggregate_rows.NO_ROW)

    def _moving(self) -> dict[tuple[int, str], tuple[str, Counters]]:
        """By width and sort key: newer counters than a row may have, and of which position."""
        request = query(self._aggregates, "#window = :window", {"window": aggregate_rows.MOVING})
        with asked("DynamoDB", f"table {self._aggregates}"):
            found = [item for page in self._dynamodb.get_paginator("query").paginate(**request) for item in page["Items"]]
        return {
            (each.window.width, each.window.sort_key(item["part"]["S"])): (item["position"]["S"], each)
            for item in found
            for each in aggregate_rows.decode_moving(item["partial"]["B"])
        }

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
    """The row of the event's minute on its shard, or the one that moves, if written at the event's position or later."""
    start_ms = event.occurred_at - event.occurred_at % MINUTE_MS
    condition = "#window = :window AND begins_with(#part, :part)"
    places = (aggregate_rows.MOVING, put.shard), (windows.partition(1, start_ms), f"{start_ms:014d}#{put.shard}#")
    for window, part in places:
        request = query(AGGREGATES.of(settings), condition, {"window": window, "part": part})
        with translated("DynamoDB"):
            found = clients.dynamodb.query(**request)["Items"]
        for item in found:
            shown = window != aggregate_rows.MOVING or any(
                each.window[:2] == (1, start_ms // MINUTE_MS) for each in aggregate_rows.decode_moving(item["partial"]["B"])
            )
            if shown and item["position"]["S"] >= str(put.position):
                return Effect(what="counted in its minute", facts={"minute": start_ms, "row": item["part"]["S"]})
    return None

"""A report's numbers: the answers of a stretch of time as data frames, one row per window, read through the read models."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import pandas as pd

from clickstream.aws import Clients
from clickstream.consumers.analytics.views import Aggregates, ShardProgress, WindowView, complete_to, completeness
from clickstream.consumers.archive.views import Archive
from clickstream.consumers.fraud.views import NAME as FRAUD
from clickstream.consumers.fraud.views import DecidedMinute, Decisions, Verdict
from clickstream.errors import Missing
from clickstream.progress.completeness import completeness as completeness_of
from clickstream.settings import Settings

#: Pandas's names of the windows' widths.
_WIDTHS = {"minute": "1min", "hour": "1h", "day": "1D"}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a report tells; times in milliseconds since the epoch, money in minor units.

    ``windows``: indexed by the window's start (UTC); columns ``events``, ``orders``, ``events_<type>``, ``revenue_<currency>``,
    ``uniques`` with ``uniques_low`` and ``uniques_high``, ``sessions_view``, ``sessions_cart``, ``sessions_purchase``.
    ``decisions``: the same index; ``approve``, ``review``, ``block``, ``frauds``, ``caught``; empty when nothing was decided.
    ``tops``: ranking → (key, count) pairs over all windows. ``archived``: events by type that the archive has of the
    same windows, None without one.
    """

    name: str
    granularity: str
    start_ms: int
    end_ms: int
    complete_to: int | None
    windows: pd.DataFrame
    decisions: pd.DataFrame
    tops: Mapping[str, Sequence[tuple[str, int]]]
    archived: Mapping[str, int] | None

    @property
    def totals(self) -> dict[str, Any]:
        """Sums over the stretch; unique visitors and sessions cannot be added up, so they are not among them."""
        summed = (self.windows.filter(regex="^(events|orders|revenue)"), self.decisions)
        return {str(name): int(frame[name].sum()) for frame in summed for name in frame.columns}

    @property
    def table(self) -> pd.DataFrame:
        """Windows and decisions side by side, as the CSV has them."""
        return self.windows.join(self.decisions, how="outer")


def windows_frame(windows: Sequence[WindowView]) -> pd.DataFrame:
    """One row per window that holds any event."""
    rows = [
        {
            "events": sum(window.counts.values()),
            "orders": window.orders,
            **{f"events_{kind}": count for kind, count in window.counts.items()},
            **{f"revenue_{currency}": amount for currency, amount in window.revenue.items()},
            "uniques": window.uniques.value,
            "uniques_low": window.uniques.low,
            "uniques_high": window.uniques.high,
            "sessions_view": window.funnel.view,
            "sessions_cart": window.funnel.cart,
            "sessions_purchase": window.funnel.purchase,
        }
        for window in windows
    ]
    index = starts(window.start_ms for window in windows)
    # a type or a currency that a window does not have was counted there zero times
    frame = pd.DataFrame(rows, index=index, columns=None if rows else ["events", "orders"]).fillna(0)
    return frame.astype({name: "int64" for name in frame.columns if name.startswith(("events_", "revenue_"))})


def decisions_frame(minutes: Sequence[DecidedMinute], granularity: str) -> pd.DataFrame:
    """One row per window in which anything was decided (by the time of the decision)."""
    if not minutes:
        return pd.DataFrame(index=starts([]))
    rows = [
        {verdict.value: minute.counts.get(verdict, 0) for verdict in Verdict}
        | {"frauds": minute.truth.frauds, "caught": minute.truth.caught}
        for minute in minutes
    ]
    frame = pd.DataFrame(rows, index=starts([minute.start_ms for minute in minutes]))
    summed: pd.DataFrame = frame.resample(_WIDTHS[granularity]).sum()
    return summed[summed.any(axis="columns")]


def first_start(granularity: str, moment_ms: int) -> int:
    """When the first window begins that does not begin before a moment: stretches of windows go from one such to another."""
    return int(pd.Timestamp(moment_ms, unit="ms").ceil(_WIDTHS[granularity]).value // 1_000_000)


def tops(windows: Iterable[WindowView], places: int) -> dict[str, list[tuple[str, int]]]:
    """The windows' rankings added up; a key counts where a window lists it."""
    counts: dict[str, Counter[str]] = {}
    for window in windows:
        for ranking, top in window.tops.items():
            counts.setdefault(ranking, Counter()).update(dict(top.entries))
    return {name: sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))[:places] for name, found in counts.items()}


def starts(milliseconds: Iterable[int]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(list(milliseconds), unit="ms", utc=True), name="start")


def read(clients: Clients, settings: Settings, granularity: str, start_ms: int, end_ms: int, *, places: int) -> Report:
    """The windows that begin in ``[start_ms, end_ms)``, the decisions made then, and what the archive has of it.

    Raises RetryLater when a store does not answer, Missing without aggregates. Fraud and the archive may be absent.
    """
    aggregates = Aggregates(clients, settings)
    # before the windows: what is complete now is in what is read next
    seen = aggregates.progress()
    overlapping = aggregates.windows(granularity, start_ms, end_ms, top=places * 5)
    windows = [window for window in overlapping if window.start_ms >= start_ms]
    try:
        decisions = decisions_frame(Decisions(clients, settings).minutes(start_ms, end_ms), granularity)
    except Missing:
        decisions = decisions_frame([], granularity)
    return Report(
        name=settings.name,
        granularity=granularity,
        start_ms=start_ms,
        end_ms=end_ms,
        complete_to=told_to(seen, granularity),
        windows=windows_frame(windows),
        decisions=decisions,
        tops=tops(windows, places),
        archived=_archived(clients, settings, granularity, start_ms, end_ms),
    )


def told_to(rows: Sequence[ShardProgress], granularity: str) -> int | None:
    """Event time (ms) up to which the windows are complete, and the decisions where they are made; None: not known."""
    fraud = [row for row in rows if row.application == FRAUD and not row.retired]
    ends = [complete_to(completeness(rows), granularity), *([completeness_of(fraud).complete_to] if fraud else [])]
    return min(ends, key=lambda at: at or 0)


def _archived(clients: Clients, settings: Settings, granularity: str, start_ms: int, end_ms: int) -> Mapping[str, int] | None:
    """Events by type of the report's windows; None where no archive is kept, or its extra is not installed."""
    archive = Archive(clients, settings)
    start_us, end_us = (1000 * first_start(granularity, moment_ms) for moment_ms in (start_ms, end_ms))
    try:
        if not archive.files():
            return None
        answer = archive.query(
            "SELECT type, count(*) FROM events "
            f"WHERE occurred_at >= make_timestamp({start_us}) AND occurred_at < make_timestamp({end_us}) "
            "GROUP BY type"
        )
    except Missing:
        return None
    return {str(kind): int(count) for kind, count in answer.rows}

"""Collects a report's numbers from the stores, through the read models."""

from collections.abc import Mapping

import pandas as pd

from clickstream.aws import Clients
from clickstream.consumers.analytics.views import Aggregates, complete_to
from clickstream.consumers.archive.views import Archive
from clickstream.consumers.fraud.views import Decisions
from clickstream.errors import Missing
from clickstream.serving.report.frames import Report, decisions_frame, first_start, tops, windows_frame
from clickstream.settings import Settings


def read(clients: Clients, settings: Settings, granularity: str, start_ms: int, end_ms: int, *, places: int) -> Report:
    """The windows that begin in ``[start_ms, end_ms)``, the decisions made then, and what the archive has of it.

    Raises RetryLater when a store does not answer, Missing without aggregates. Fraud and the archive may be absent.
    """
    aggregates = Aggregates(clients, settings)
    # before the windows: what is complete now is in what is read next
    seen = aggregates.completeness()
    overlapping = aggregates.windows(granularity, start_ms, end_ms, top=places * 5)
    windows = [window for window in overlapping if window.start_ms >= start_ms]
    try:
        decisions = decisions_frame(Decisions(clients, settings).minutes(start_ms, end_ms), granularity)
    except Missing:
        decisions = pd.DataFrame(index=windows_frame([]).index)
    return Report(
        name=settings.name,
        granularity=granularity,
        start_ms=start_ms,
        end_ms=end_ms,
        complete_to=complete_to(seen, granularity),
        windows=windows_frame(windows),
        decisions=decisions,
        tops=tops(windows, places),
        archived=_archived(clients, settings, granularity, start_ms, end_ms),
    )


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

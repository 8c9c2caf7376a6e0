"""The stretches of time that the page Now shows, and how each is read. Pure."""

from typing import NamedTuple

from clickstream.consumers.analytics.views import Granularity
from clickstream.errors import UserMistake

#: Data this far behind the clock is a replay of the past, and is shown at its own time.
REPLAY_MS = 3_600_000


class Span(NamedTuple):
    """``bars`` bars of one granularity, the last of which holds the present moment."""

    name: str
    bar: Granularity
    bars: int
    rows: Granularity
    """Of the rows that are read: minutes, or hours."""
    sessions: Granularity
    """A session counts in the funnel once per each of these."""
    tail: int
    """Windows of rows that every reading reads again; the others are settled, but for events that come very late."""
    newest_ms: int
    """Between two readings of the tail."""
    whole_ms: int
    """Between two readings of everything, for late events; it is also read whenever a bar has gone."""
    compared: bool
    """The stretch of the same length before is read too."""

    @property
    def bar_ms(self) -> int:
        return self.bar.ms

    @property
    def length_ms(self) -> int:
        return self.bars * self.bar_ms

    def end(self, anchor_ms: int) -> int:
        """The end of the last bar, with ``anchor_ms`` as the present moment."""
        return anchor_ms // self.bar_ms * self.bar_ms + self.bar_ms


_MINUTE, _HOUR, _DAY = Granularity

#: A row of an hour is large and seldom written: hours are read less often than minutes.
SPANS: dict[str, Span] = {
    span.name: span
    for span in (
        Span("15m", _MINUTE, 15, _MINUTE, _HOUR, tail=3, newest_ms=0, whole_ms=60_000, compared=True),
        Span("1h", _MINUTE, 60, _MINUTE, _HOUR, tail=3, newest_ms=0, whole_ms=60_000, compared=True),
        Span("24h", _HOUR, 24, _HOUR, _DAY, tail=2, newest_ms=2_000, whole_ms=300_000, compared=True),
        Span("7d", _HOUR, 168, _HOUR, _DAY, tail=2, newest_ms=2_000, whole_ms=600_000, compared=False),
        Span("30d", _DAY, 30, _HOUR, _DAY, tail=2, newest_ms=2_000, whole_ms=900_000, compared=False),
    )
}
DEFAULT = "1h"


def span(name: str) -> Span:
    """Raises UserMistake."""
    if name not in SPANS:
        raise UserMistake(f"no range {name!r}", hint=", ".join(SPANS))
    return SPANS[name]


def anchor(now_ms: int, newest_event_ms: int | None) -> int:
    """The time that counts as now: the clock's, or the data's own when the data are a replay of the past."""
    if newest_event_ms is None or newest_event_ms > now_ms - REPLAY_MS:
        return now_ms
    return newest_event_ms

"""What each page shows, as :class:`clickstream.serving.pages.live.Picture` has it, and the feeds: one per kind of page."""

from collections.abc import Callable, Mapping
from typing import Any

from clickstream.answers.reading import Answers
from clickstream.consumers.analytics import views as analytics
from clickstream.consumers.fraud import views as fraud
from clickstream.consumers.recommendations import views as recommended
from clickstream.consumers.recommendations.views import HitRate
from clickstream.errors import Missing, UserMistake
from clickstream.serving.api.aggregates import window
from clickstream.serving.api.fraud import MINUTE_MS, decided
from clickstream.serving.api.own import OwnAnswers, read
from clickstream.serving.api.progress import applications, shards
from clickstream.serving.api.recommendations import recommendations
from clickstream.serving.api.routes import Readers
from clickstream.serving.pages.live import Live
from clickstream.serving.pages.now.spans import SPANS, Span, anchor
from clickstream.serving.pages.now.stretch import Stretch
from clickstream.serving.progress import Reading
from clickstream.serving.speeds import Line, Recent

#: The rows of a ranking on the page Now.
TOP = 8
#: Of the page Fraud.
MINUTES = 60
#: The registry stands on S3, and a promotion is rare.
MODEL_MS = 5_000
#: The line of hit rates: a point every ten seconds for half an hour, each over the minute before it.
STEP_MS = 10_000
KEPT_MS = 1_800_000
OVER_MS = 60_000
#: Of what is popular.
LENGTH = 10
#: Of a table of own answers. They are read again for each picture: a window of more rows is asked for by name.
ROWS = 30
MOST_READ = 5_000


class Now:
    """A stretch of time summed up, its bars, and the line of the last minutes; of one span."""

    applications = (analytics.NAME,)

    def __init__(self, views: analytics.Aggregates, span: Span) -> None:
        self._views = views
        self._span = span
        self._stretch = Stretch(span, TOP)

    def read(self, seen: Reading) -> dict[str, Any]:
        """``bars`` are ``bar`` ms wide; ``before`` is the stretch of the same length before, where it is read."""
        # `seen` was read before the rows: what it reports as complete is in them
        span, stretch = self._span, self._stretch
        stretch.read(self._views.rows, anchor(seen.read_at, seen.newest_event), seen.ticks_ms)
        assert stretch.total is not None, "the first reading is always due"
        total = window(stretch.total, analytics.complete_to(seen.completeness, span.rows))
        shown = {"span": span.name, "bar": span.bar_ms, "rate": seen.rate}
        return shown | {"bars": stretch.bars(), "total": total, "before": stretch.before}


class Fraud:
    """What was decided in the last hour, the alarms, how right they were, and which model serves."""

    applications = (fraud.NAME,)

    def __init__(self, risk: fraud.Decisions) -> None:
        self._risk = risk
        self._model: fraud.Pointer | None = None
        self._model_read_at: int | None = None
        """By the monotonic clock."""

    def read(self, seen: Reading) -> dict[str, Any]:
        """``newest``: the latest alarm; the list of them is asked for when it is another one."""
        end = (seen.read_at // MINUTE_MS + 1) * MINUTE_MS
        start = end - MINUTES * MINUTE_MS
        minutes = self._risk.minutes(start, end)
        newest = next((alarm.key for alarm in self._risk.alerts(most=1)), None)
        if self._model_read_at is None or seen.ticks_ms - self._model_read_at >= MODEL_MS:
            self._model, self._model_read_at = self._risk.serving(), seen.ticks_ms
        return {"model": self._model, "decided": decided(minutes, start, end), "newest": newest}


class Recommendations:
    """How often what was shown is clicked, and what a stranger is shown."""

    applications = (recommended.NAME,)

    def __init__(self, offers: recommended.Recommendations) -> None:
        self._offers = offers
        self._counts: Recent[HitRate] = Recent(OVER_MS)
        self._line: Line[HitRate] = Line(STEP_MS, KEPT_MS)

    def read(self, seen: Reading) -> dict[str, Any]:
        """``ever``: since the application first ran; ``lately``: over the last minute; ``line``: over that before each time."""
        ever, popular = self._offers.hit_rate(), self._offers.popular()
        lately, shown = self._since_a_minute_ago(ever, seen), recommendations(popular)
        rates = {"ever": ever, "lately": lately, "line": self._line.points()}
        return rates | {"model": shown.model, "made_at": shown.made_at, "popular": shown.items[:LENGTH]}

    def _since_a_minute_ago(self, ever: HitRate, seen: Reading) -> HitRate:
        counts = self._counts
        if counts and (ever.clicks < counts[-1][1].clicks or seen.ticks_ms - counts[-1][0] > OVER_MS):
            counts.clear()  # another count, or nobody looked for a while
        counts.add(seen.ticks_ms, ever)
        lately = ever - counts[0][1]
        if counts.lasted_ms >= STEP_MS:
            self._line.add(seen.ticks_ms, seen.read_at, lately)
        return lately


class Pipeline:
    """Every application on every shard. It is read whether or not a page is open: readiness depends on it."""

    applications = ()

    def read(self, seen: Reading) -> dict[str, Any]:
        """The shards' ages are of when they were read."""
        read = shards(seen.rows, seen.speeds, seen.read_at)
        return {"rate": seen.rate, "applications": applications(seen.rows, read), "shards": read}


class Own:
    """The tables of all applications that are declared by their answers, the newest windows first."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.applications = tuple(answers.applications)

    def read(self, seen: Reading) -> dict[str, Any]:
        declared = self._answers.applications.items()
        return {"tables": [self._table(application, name, seen) for application, each in declared for name in each.tables]}

    def _table(self, application: str, table: str, seen: Reading) -> OwnAnswers | dict[str, Any]:
        """``problem``: why there are no rows."""
        newest = max((row.watermark_ms for row in seen.rows if row.application == application), default=0)
        place: dict[str, Any] = {"application": application, "table": table}
        try:
            return read(self._answers, newest, **place, start=None, end=None, shards=seen.rows, limit=ROWS, most=MOST_READ)
        except (Missing, UserMistake) as error:  # the other tables are shown
            return {**place, "cells": [], "rows": [], "complete_to": None, "problem": str(error)}


def feeds_of(readers: Readers, live: Callable[..., Live]) -> Mapping[str, Live]:
    """By name: ``now/<range>``, ``pipeline``, and of what there is: ``fraud``, ``recommendations``, ``own``."""
    # the pipeline is read all the time: readiness is whether the stores answer it
    feeds = {"pipeline": live(Pipeline(), unwatched_s=0)}
    feeds |= {f"now/{span.name}": live(Now(readers.windows, span)) for span in SPANS.values()}
    if readers.risk is not None:
        feeds["fraud"] = live(Fraud(readers.risk))
    if readers.visitors is not None:
        # the line of hit rates goes on without a page
        feeds["recommendations"] = live(Recommendations(readers.visitors.offers), unwatched_s=STEP_MS / 1000)
    if readers.own is not None:
        feeds["own"] = live(Own(readers.own))
    return feeds

"""The live feeds: one per kind of page, and one per range of the page Now."""

from collections.abc import Mapping
from functools import partial

from clickstream.serving.api.routes import Readers
from clickstream.serving.moments import Clock
from clickstream.serving.pages.fraud.picture import Fraud
from clickstream.serving.pages.live import Live
from clickstream.serving.pages.now.picture import Now
from clickstream.serving.pages.now.spans import SPANS
from clickstream.serving.pages.own.picture import Own
from clickstream.serving.pages.pipeline.picture import Pipeline
from clickstream.serving.pages.recommendations.picture import STEP_MS, Recommendations


def feeds_of(readers: Readers, clock: Clock, *, title: str, period_s: float) -> Mapping[str, Live]:
    """By name: ``now/<range>``, ``pipeline``, and of what there is: ``fraud``, ``recommendations``, ``own``."""
    live = partial(Live, progress=readers.progress, clock=clock, title=title, period_s=period_s)
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

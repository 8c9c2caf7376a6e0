"""The live feeds: one per kind of page, and one per range of the page Now."""

import asyncio
from collections.abc import Mapping
from functools import partial

from serving.api.routes import Readers
from serving.pages.fraud.picture import Fraud
from serving.pages.live import PERIOD_S, Live
from serving.pages.now.picture import Now
from serving.pages.now.spans import SPANS
from serving.pages.pipeline.picture import Pipeline
from serving.pages.recommendations.picture import STEP_MS, OffersAndClicks, Recommendations
from serving.read_model import Clock


class Feeds:
    """By name: ``now/<range>``, ``pipeline``, and where there is something to read, ``fraud`` and ``recommendations``."""

    def __init__(
        self, readers: Readers, offers: OffersAndClicks | None, clock: Clock, *, title: str, period_s: float = PERIOD_S
    ) -> None:
        live = partial(Live, progress=readers.progress, clock=clock, title=title, period_s=period_s)
        #: Read all the time: readiness is whether the stores answer it.
        self.pipeline = live(Pipeline(), unwatched_s=0)
        feeds = {"pipeline": self.pipeline}
        feeds |= {f"now/{span.name}": live(Now(readers.windows, span)) for span in SPANS.values()}
        if readers.risk is not None:
            feeds["fraud"] = live(Fraud(readers.risk))
        if offers is not None:
            # the line of hit rates goes on without a page
            feeds["recommendations"] = live(Recommendations(offers), unwatched_s=STEP_MS / 1000)
        self._feeds: Mapping[str, Live] = feeds

    def __getitem__(self, name: str) -> Live:
        """Raises KeyError."""
        return self._feeds[name]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as feeds:
            for name, feed in self._feeds.items():
                feeds.create_task(feed.run(), name=f"feed {name}")

    def close(self) -> None:
        for feed in self._feeds.values():
            feed.broadcast.close()

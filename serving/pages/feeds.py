"""The live feeds: one per kind of page, and one per range of the page Now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from serving.api.fraud import Risk
from serving.pages.fraud.picture import Fraud
from serving.pages.live import PERIOD_S, Live
from serving.pages.now.picture import Now
from serving.pages.now.spans import SPANS
from serving.pages.pipeline.picture import Pipeline
from serving.pages.recommendations.picture import STEP_MS, OffersAndClicks, Recommendations
from serving.progress import Fleet
from serving.read_model import Clock, ReadModel


class Feeds:
    """By name: ``now/<range>``, ``pipeline``, and where there is something to read, ``fraud`` and ``recommendations``."""

    def __init__(
        self,
        views: ReadModel,
        fleet: Fleet,
        clock: Clock,
        *,
        title: str,
        risk: Risk | None,
        offers: OffersAndClicks | None,
        period_s: float = PERIOD_S,
    ) -> None:
        #: Read all the time: it tells whether the stores answer.
        self.pipeline = Live(Pipeline(fleet, title), clock, period_s, unwatched_s=0)
        feeds = {"pipeline": self.pipeline}
        for span in SPANS.values():
            feeds[f"now/{span.name}"] = Live(Now(views, fleet, title, span), clock, period_s)
        if risk is not None:
            feeds["fraud"] = Live(Fraud(risk, fleet, title), clock, period_s)
        if offers is not None:
            # the line of hit rates goes on without a page
            picture = Recommendations(offers, fleet, title)
            feeds["recommendations"] = Live(picture, clock, period_s, unwatched_s=STEP_MS / 1000)
        self._feeds: Mapping[str, Live] = feeds

    def __getitem__(self, name: str) -> Live:
        """Raises KeyError."""
        return self._feeds[name]

    async def run(self) -> None:
        """Until cancelled, or until a feed ends by a fault, which ends all of them."""
        running = [asyncio.create_task(feed.run(), name=f"feed {name}") for name, feed in self._feeds.items()]
        try:
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def close(self) -> None:
        """Ends every open stream."""
        for feed in self._feeds.values():
            feed.broadcast.close()

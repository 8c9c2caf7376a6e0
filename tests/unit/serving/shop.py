"""A small shop's read model in memory, for the tests of the server and the page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from clickstream.answers.uniques import Estimate, Uniques
from clickstream.consumers.analytics.aggregate_rows import Leaders, RowContent
from clickstream.consumers.analytics.counting.partial import TALLIES
from clickstream.consumers.analytics.counting.totals import Funnel, WindowView
from clickstream.consumers.analytics.ranking import Top
from clickstream.consumers.analytics.views import Aggregates, Granularity, ShardProgress
from clickstream.errors import RetryLater

HALVES = ("0" * 32 + "-7" + "f" * 31, "8" + "0" * 31 + "-" + "f" * 32)
#: 24 November 2026, 13:37:20 UTC
NOW = 1_795_527_440_000


@dataclass
class Shop(Aggregates):
    """``pace`` events happen per minute, from ``opened_ms`` to ``now``; the test moves ``now``."""

    now: int = NOW
    opened_ms: int = NOW - 50 * 60_000
    pace: int = 600
    price: int = 4_399
    """Of a purchase on average, in cents."""
    down: bool = False
    holding: threading.Event = field(default_factory=threading.Event)
    """Until it is set, readings hang when ``hangs``."""
    hangs: bool = False
    patience_s: int = 30
    hanging: int = 0
    """Readings that hung."""
    silent_since: int | None = None
    """When the workers stopped reporting, of all applications or of one."""
    silent: str = ""
    retired_at: int = 0
    """When the one that is silent was retired."""
    deaths: int = 0
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def clock(self) -> int:
        return self.now

    def windows(self, granularity: str, start_ms: int, end_ms: int, *, top: int = 100) -> list[WindowView]:
        self._answer()
        with self.lock:
            self.asked.append((granularity, start_ms, end_ms))
        width = Granularity(granularity).ms
        made = (self._window(granularity, at, top) for at in range(start_ms // width * width, end_ms, width))
        return [window for window in made if window.counts]

    def rows(self, granularity: str, start_ms: int, end_ms: int) -> Iterator[tuple[int, RowContent]]:
        self._answer()
        stored = "minute" if granularity == "minute" else "hour"
        with self.lock:
            self.asked.append((stored, start_ms, end_ms))
        width = Granularity(stored).ms
        for at in range(start_ms // width * width, end_ms, width):
            window = self._window(stored, at, 100)
            if window.counts:
                yield at, _row(window)

    def _window(self, granularity: str, start_ms: int, top: int) -> WindowView:
        end_ms = start_ms + Granularity(granularity).ms
        lived = max(0, min(end_ms, self.now) - max(start_ms, self.opened_ms))
        # busier and quieter minutes, or the bars would all be alike
        events = lived * (self.pace + 7 * (start_ms // 60_000 * 37 % 43)) // 60_000
        counts = {"product_view": events * 6 // 10, "page_view": events * 3 // 10, "search": events // 20}
        counts |= {"add_to_cart": events // 15, "purchase": events // 50}
        views, bought = counts["product_view"] // 3, counts["purchase"]
        products = [f"sku-{4100 + 37 * rank}" for rank in range(12)]
        tops = {
            "products": [(product, events // (rank + 9)) for rank, product in enumerate(products)],
            "categories": [("Home & kitchen", events // 3), ("Books", events // 5), ("Garden", events // 8)],
            "carted": [(product, events // (3 * rank + 60)) for rank, product in enumerate(products)],
            "bought": [(product, bought // (rank + 4)) for rank, product in enumerate(reversed(products))],
            "searches": [
                ("espresso machine", events // 60),
                ("<b>wool</b> blanket", events // 90),
                ("süße träume", events // 140),
            ],
            "countries": [("DE", events // 2), ("FR", events // 4), ("US", events // 9)],
            "devices": [("phone", events // 2), ("desktop", events // 3), ("tablet", events // 12)],
        }
        return WindowView(
            granularity=granularity,
            start_ms=start_ms,
            end_ms=end_ms,
            counts={kind: count for kind, count in counts.items() if count},
            orders=bought,
            revenue={"EUR": bought * self.price, "USD": bought * 811} if bought else {},
            uniques=Estimate(views * 0.8, views * 0.78, views * 0.83),
            funnel=Funnel(views, views // 6, views // 23),
            tops={
                name: Top(
                    [entry for entry in entries if entry[1]][:top],
                    exact=name != "searches",
                    bound=2 if name == "searches" else 0,
                )
                for name, entries in tops.items()
            },
        )

    def progress(self) -> list[ShardProgress]:
        self._answer()
        if self.now <= self.opened_ms:
            return []
        folded = (self.now - self.opened_ms) * self.pace // 60_000
        return [
            self._row("analytics", 0, folded // 2, behind_ms=0),
            self._row("analytics", 1, folded - folded // 2, behind_ms=340),
            self._row("fraud", 0, folded // 2 - 40, behind_ms=0),
            self._row("fraud", 1, folded // 3, behind_ms=95_000, dead_letters=3),
            self._row("recommendations", 0, folded // 2, behind_ms=0),
            self._row("recommendations", 1, folded // 2, behind_ms=0),
        ]

    def _row(self, application: str, shard: int, events: int, *, behind_ms: int, dead_letters: int = 0) -> ShardProgress:
        is_silent = self.silent_since is not None and self.silent in ("", application)
        heard = self.silent_since if self.silent_since is not None and is_silent else self.now
        return ShardProgress(
            application=application,
            shard=f"shardId-{shard:012d}",
            owner="worker-1",
            position=f"{49_650_000_000 + events:060d}.000000",
            behind_ms=behind_ms,
            hash_range=HALVES[shard],
            arrived_to=self.now - 200 - behind_ms,
            whole_to=self.now - 500 - behind_ms,
            watermark_ms=self.now - 400 - behind_ms,
            arrived_ms=self.now - 300 - behind_ms,
            updated_at=heard - 300,
            committed_at=heard - 900,
            retired_at=self.retired_at if is_silent else 0,
            events=events,
            dead_letters=dead_letters,
            duplicates=events // 900,
            deaths=self.deaths,
        )

    def _answer(self) -> None:
        if self.hangs:
            self.hanging += 1
            assert self.holding.wait(self.patience_s)
        if self.down:
            raise RetryLater("DynamoDB on http://127.0.0.1:4566 did not answer")


@lru_cache(maxsize=4096)
def _sketch(visitors: int) -> bytes:
    """Of the first so many visitors."""
    uniques = Uniques()
    uniques.add(f"u{number}" for number in range(visitors))
    return uniques.to_bytes()


def _row(window: WindowView) -> RowContent:
    """What a worker would have stored for the window."""
    return RowContent(
        events=window.counts,
        revenue=window.revenue,
        uniques=_sketch(int(window.uniques.value)),
        funnel=[window.funnel.view, window.funnel.cart, window.funnel.purchase] * 3,
        tallies=[Leaders(dict(window.tops[name].entries), window.tops[name].bound) for name in TALLIES],
    )

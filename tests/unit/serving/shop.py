"""A small shop's read model in memory, for the tests of the server and the page."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from clickstream.errors import RetryLater
from serving.periods import WINDOW_MS
from serving.read_model import Granularity

#: 24 November 2026, 13:37:20 UTC
NOW = 1_795_527_440_000


@dataclass(frozen=True)
class Estimate:
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Funnel:
    view: int
    cart: int
    purchase: int


@dataclass(frozen=True)
class ShopWindow:
    start_ms: int
    end_ms: int
    counts: dict[str, int]
    revenue: dict[str, int]
    uniques: Estimate
    funnel: Funnel
    products: tuple[tuple[str, int], ...]
    categories: tuple[tuple[str, int], ...]
    searches: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ShopProgress:
    application: str
    shard: str
    owner: str
    position: str
    behind_ms: int
    watermark_ms: int
    updated_at: int
    events: int
    dead_letters: int
    duplicates: int
    foreign: int
    ended: bool


@dataclass
class Shop:
    """``pace`` events happen per minute, from ``opened_ms`` to ``now``; the test moves ``now``."""

    now: int = NOW
    opened_ms: int = NOW - 50 * 60_000
    pace: int = 600
    down: bool = False
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def clock(self) -> int:
        return self.now

    def windows(self, granularity: Granularity, start_ms: int, end_ms: int) -> Sequence[ShopWindow]:
        self._answer()
        with self.lock:
            self.asked.append((granularity, start_ms, end_ms))
        width = WINDOW_MS[granularity]
        made = (self._window(at, width) for at in range(start_ms // width * width, end_ms, width))
        return [window for window in made if sum(window.counts.values())]

    def _window(self, start_ms: int, width: int) -> ShopWindow:
        lived = max(0, min(start_ms + width, self.now) - max(start_ms, self.opened_ms))
        # busier and quieter minutes, or the bars would all be alike
        events = lived * (self.pace + 7 * (start_ms // 60_000 * 37 % 43)) // 60_000
        counts = {"product_view": events * 6 // 10, "page_view": events * 3 // 10, "search": events // 20}
        counts |= {"add_to_cart": events // 15, "purchase": events // 50}
        views = counts["product_view"] // 3
        products = tuple((f"sku-{4100 + 37 * rank}", events // (rank + 9)) for rank in range(12))
        return ShopWindow(
            start_ms=start_ms,
            end_ms=start_ms + width,
            counts={kind: count for kind, count in counts.items() if count},
            revenue={"EUR": counts["purchase"] * 4_399, "USD": counts["purchase"] * 811} if counts["purchase"] else {},
            uniques=Estimate(views * 0.8, views * 0.78, views * 0.83),
            funnel=Funnel(views, views // 6, views // 23),
            products=products,
            categories=(("Home & kitchen", events // 3), ("Books", events // 5), ("Garden", events // 8), ("", events // 30)),
            searches=(("espresso machine", events // 60), ("<b>wool</b> blanket", events // 90), ("süße Träume", events // 140)),
        )

    def progress(self) -> Sequence[ShopProgress]:
        self._answer()
        if self.now <= self.opened_ms:
            return []
        folded = (self.now - self.opened_ms) * self.pace // 60_000
        return [
            self._row("analytics", 0, folded // 2, behind_ms=0),
            self._row("analytics", 1, folded - folded // 2, behind_ms=340),
            self._row("fraud", 0, folded // 2 - 40, behind_ms=0),
            self._row("fraud", 1, folded // 3, behind_ms=95_000, dead_letters=3),
        ]

    def _row(self, application: str, shard: int, events: int, *, behind_ms: int, dead_letters: int = 0) -> ShopProgress:
        return ShopProgress(
            application=application,
            shard=f"shardId-{shard:012d}",
            owner="worker-1",
            position=f"{49_650_000_000 + events:060d}.000000",
            behind_ms=behind_ms,
            watermark_ms=self.now - 400 - behind_ms,
            updated_at=self.now - 300,
            events=events,
            dead_letters=dead_letters,
            duplicates=events // 900,
            foreign=0,
            ended=False,
        )

    def complete_to(self) -> int | None:
        self._answer()
        return None if self.now <= self.opened_ms else self.now - 2_400

    def _answer(self) -> None:
        if self.down:
            raise RetryLater("DynamoDB on http://127.0.0.1:4566 did not answer")

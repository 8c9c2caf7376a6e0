"""A risk team's read model, and a recommender's, in memory: for the tests of the server and the pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from clickstream.consumers.fraud.views import (
    Action,
    DecidedMinute,
    Decision,
    Decisions,
    Pointer,
    Reason,
    Review,
    Source,
    Truth,
    Verdict,
    alert_part,
)
from clickstream.consumers.recommendations.views import HitRate, Recommendations, RecommendationsView, Recommended
from clickstream.errors import RetryLater
from tests.unit.serving.shop import Shop

MINUTE_MS = 60_000


@dataclass
class Desk(Decisions):
    """Decisions at the pace of a shop; ``labels`` says whether the truth is known of those that are ten minutes old."""

    shop: Shop
    labels: bool = True
    more: list[Decision] = field(default_factory=list)
    """Decided just now, by the test."""
    done: dict[str, list[Review]] = field(default_factory=dict)

    def of(self, event_id: str) -> Decision | None:
        self._answer()
        return next((each for each in self.alerts() if each.key == event_id), None)

    def of_order(self, order_id: str, *, most: int) -> list[Decision]:
        return [each for each in self.alerts() if each.order_id == order_id][:most]

    def reviews(self, decisions: Sequence[Decision]) -> dict[str, list[Review]]:
        return {each.key: self.done[each.key] for each in decisions if each.key in self.done}

    def note(self, key: str, action: Action, by: str) -> Decision | None:
        decision = self.of(key)
        if decision is not None:
            self.done.setdefault(key, []).append(Review(action=action, by=by, at=self.shop.now))
        return decision

    def others(self, event_id: str) -> list[Decision]:
        return []

    def minutes(self, start_ms: int, end_ms: int) -> list[DecidedMinute]:
        self._answer()
        starts = range(start_ms // MINUTE_MS * MINUTE_MS, end_ms, MINUTE_MS)
        return [self._minute(at) for at in starts if self.shop.opened_ms <= at <= self.shop.now]

    def _minute(self, at: int) -> DecidedMinute:
        number = at // MINUTE_MS
        counts = {Verdict.APPROVE: 10 + number % 7, Verdict.REVIEW: number % 5 % 3, Verdict.BLOCK: int(number % 6 == 0)}
        for decision in self.more:
            if decision.decided_at // MINUTE_MS == number:
                counts[decision.verdict] += 1
        known = Truth()
        if self.labels and at < self.shop.now - 10 * MINUTE_MS:
            alarms = counts[Verdict.REVIEW] + counts[Verdict.BLOCK]
            frauds = min(1, alarms)
            known = Truth(
                labelled=sum(counts.values()),
                frauds=frauds + (number % 9 == 0),
                caught=frauds,
                alarms=alarms,
                money=21_900 + 9_900,
                money_caught=21_900 * frauds,
            )
        money = {verdict: count * 4_399 for verdict, count in counts.items()}
        return DecidedMinute(
            start_ms=at, counts=counts, money=money, versions={"20261124-091500-1f3c": sum(counts.values())}, truth=known
        )

    def alerts(self, *, most: int = 50, within_ms: int = 86_400_000, before: str | None = None) -> Iterator[Decision]:
        self._answer()
        minutes = range(self.shop.now // MINUTE_MS, self.shop.opened_ms // MINUTE_MS, -1)
        told = [decision_at(number) for number in minutes if number % 4 == 0]
        return (each for each in (*reversed(self.more), *told) if before is None or alert_part(each) < before)

    def serving(self) -> Pointer | None:
        self._answer()
        return Pointer(
            version="20261124-091500-1f3c",
            promoted_at=self.shop.opened_ms - 6 * 3_600_000,
            previous=("20261123-091200-77ab",),
        )

    def _answer(self) -> None:
        if self.shop.down:
            raise RetryLater("DynamoDB on http://127.0.0.1:4566 did not answer")


def decision_at(number: int, *, user_id: str = "u-secret", decided_at: int | None = None) -> Decision:
    """An alarm in the minute of this number."""
    block = number % 8 == 0
    return Decision(
        event_id=f"019abc00-0000-7000-8000-{number:012d}",
        order_id=f"o-{number % 100_000}",
        user_id=user_id,
        occurred_at=number * MINUTE_MS,
        decided_at=number * MINUTE_MS + 400 if decided_at is None else decided_at,
        amount=9_900 + number % 50_000,
        currency="EUR",
        verdict=Verdict.BLOCK if block else Verdict.REVIEW,
        score=0.97 if block else 0.62,
        reasons=[
            Reason("failed_logins_1h", 6.0, 2.41),
            Reason("new_device_7d", 1.0, 0.83),
            Reason("gap_s", float("nan"), -0.2),
        ],
        source=Source.MODEL,
        model_version="20261124-091500-1f3c",
        vector=(1.0, 0.5),
    )


@dataclass
class Window(Recommendations):
    """What visitors are shown: ``clicks`` grow with the shop's time."""

    shop: Shop

    def hit_rate(self) -> HitRate:
        self._answer()
        clicks = max(0, self.shop.now - self.shop.opened_ms) // 50
        return HitRate(clicks=clicks, hits=clicks * 37 // 100, popular_hits=clicks * 8 // 100)

    def stored(self, user_ids: Sequence[str]) -> Mapping[str, RecommendationsView]:
        self._answer()
        return {user_id: self._view(user_id, "sku-77") for user_id in user_ids if user_id.startswith("u")}

    def popular(self) -> RecommendationsView:
        self._answer()
        return self._view("", None)

    def sold_out(self) -> frozenset[str]:
        return frozenset()

    def for_session(
        self, viewed: Sequence[str], *, count: int = 20, without: Set[str] = frozenset()
    ) -> RecommendationsView | None:
        return None

    def _view(self, user_id: str, because: str | None) -> RecommendationsView:
        items = [Recommended(f"sku-{4100 + 37 * n}", 9.5 - n / 3, because if n < 3 else None) for n in range(20)]
        return RecommendationsView(
            user_id=user_id, personal=bool(user_id), items=items, version="20261124-080000-9bd2", made_at=self.shop.now - 4_000
        )

    def _answer(self) -> None:
        if self.shop.down:
            raise RetryLater("DynamoDB on http://127.0.0.1:4566 did not answer")

"""The read model: one decision, as a risk analyst asks for it; what was decided lately, by minute; the alerts; the model."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.aws.items import query
from clickstream.consumers.explain.life import Effect, Put
from clickstream.consumers.fraud import NAME, outcomes, reviews, tables
from clickstream.consumers.fraud.decisions import Decision, Source, as_json
from clickstream.consumers.fraud.items import decision_of
from clickstream.consumers.fraud.needs import DECISIONS, OUTCOMES
from clickstream.consumers.fraud.outcomes import HOUR_MS, MINUTE_MS, DecidedMinute, Truth, alert_part
from clickstream.consumers.fraud.reviews import Action, Review
from clickstream.errors import Missing, UserMistake
from clickstream.events import AnyEvent, Purchase
from clickstream.failures.outages import asked
from clickstream.models.fraud.verdicts import Reason, Verdict
from clickstream.models.registry.s3 import Pointer, Registry
from clickstream.platform import MODELS
from clickstream.purchases import SEPARATOR, fingerprint, reused
from clickstream.settings import Settings

#: what an application publishes for others to read stands behind this module alone
__all__ = [
    "NAME",
    "Action",
    "DecidedMinute",
    "Decision",
    "Decisions",
    "Pointer",
    "Reason",
    "Review",
    "Source",
    "Truth",
    "Verdict",
    "alert_part",
    "as_json",
]

#: The registry's name of the model, which ``clickstream.models.fraud.scoring`` would bring its libraries along for.
_MODEL = "fraud"
#: A minute is settled so long after its end: what is decided then is counted elsewhere.
_SETTLED_MS = MINUTE_MS
#: Settled minutes are read again after this time, since labels come late.
_KEPT_S = 30


class Decisions:
    """Answers from the tables of decisions. Raises RetryLater when a store does not answer, Missing when there is no table.

    Blocking, thread-safe. ``clock_ms`` is the wall clock, ``monotonic_s`` the one that intervals are measured by.
    """

    def __init__(
        self,
        clients: Clients,
        settings: Settings,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dynamodb = clients.dynamodb
        self._decisions = DECISIONS.of(settings)
        self._outcomes = OUTCOMES.of(settings)
        self._registry = Registry(clients.s3, MODELS.of(settings))
        self._clock_ms = clock_ms
        self._monotonic_s = monotonic_s
        #: By minute: when it was read, and what it held. Replaced, never changed: threads may share it.
        self._settled: dict[int, tuple[float, DecidedMinute | None]] = {}

    def of(self, event_id: str) -> Decision | None:
        """The decision on the first purchase of this id; None when there is none (yet)."""
        item = self._item(event_id)
        return None if item is None else self._decoded(item, event_id)

    def on(self, event_id: str, bought: Purchase) -> Decision | None:
        """The decision on this very purchase, also when its event id was used before."""
        first, purchase = self.of(event_id), fingerprint(bought)
        return first if first is None or first.purchase == purchase else self.of(reused(event_id, purchase))

    def others(self, event_id: str) -> list[Decision]:
        """On the further purchases under this id, some of them if they are many, as they were made."""
        item = self._item(event_id) or {}
        found = [self.of(reused(event_id, purchase)) for purchase in item.get("reused", {"SS": ()})["SS"]]
        return sorted((each for each in found if each is not None), key=lambda each: each.decided_at)

    def _item(self, key: str) -> Mapping[str, Any] | None:
        with asked("DynamoDB", f"table {self._decisions}"):
            answer = self._dynamodb.get_item(TableName=self._decisions, Key={"event_id": {"S": key}}, ConsistentRead=True)
        return answer.get("Item")

    def minutes(self, start_ms: int, end_ms: int) -> list[DecidedMinute]:
        """The minutes that begin in ``[start_ms, end_ms)`` and in which anything was decided, oldest first."""
        now_ms, now_s = self._clock_ms(), self._monotonic_s()
        first_ms = -(-start_ms // MINUTE_MS) * MINUTE_MS
        wanted = range(first_ms, end_ms, MINUTE_MS)
        # those of other questions too: a page asks for one stretch again and again
        known = {minute_ms: kept for minute_ms, kept in self._settled.items() if now_s - kept[0] < _KEPT_S}
        # one query reads all from the first on: they are then due again together
        unknown = next((range(at, end_ms, MINUTE_MS) for at in wanted if at not in known), range(0))
        items = self._items(unknown[0], unknown[-1]) if unknown else ()
        found = {minute.start_ms: minute for minute in outcomes.minutes(items)}
        settled = [minute_ms for minute_ms in unknown if minute_ms + MINUTE_MS + _SETTLED_MS <= now_ms]
        self._settled = known | {minute_ms: (now_s, found.get(minute_ms)) for minute_ms in settled}
        views = (found.get(at) if at in unknown else known[at][1] for at in wanted)
        return [view for view in views if view is not None]

    def alerts(self, *, most: int = 50, within_ms: int = 24 * HOUR_MS, before: str | None = None) -> Iterator[Decision]:
        """Purchases to be reviewed, or blocked, the latest first, decided at most so long ago; read ``most`` at a time.

        ``before``: begins behind this one (:func:`outcomes.alert_part`). Raises UserMistake when there is none like it.
        """
        items = self._newest(outcomes.alerts_window, most, within_ms, before)
        return (self._decoded(item, item["part"]["S"]) for item in items)

    def recent(self, *, most: int, within_ms: int = 24 * HOUR_MS) -> list[Decision]:
        """At most so many decisions, the latest, made at most so long ago."""
        parts = (item["part"]["S"] for item in self._newest(outcomes.window, most, within_ms) if "verdict" in item)
        keys = [part.split("#", 2)[2] for part in islice(parts, most)]
        return list(tables.decisions(self._dynamodb, self._decisions, keys).values())

    def known(self, start_ms: int, end_ms: int) -> Iterator[tuple[str, str]]:
        """What became known of the purchases decided in these minutes, by event id; not of ids that were used again."""
        for item in self._items(start_ms // MINUTE_MS * MINUTE_MS, end_ms // MINUTE_MS * MINUTE_MS):
            key = item["part"]["S"].split("#", 2)[2]
            if "kind" in item and SEPARATOR not in key:
                yield key, item["kind"]["S"]

    def of_order(self, order_id: str) -> list[Decision]:
        """On its purchases, as they were made."""
        keys = [item["part"]["S"] for item in self._query(outcomes.order_window(order_id))]
        return sorted(filter(None, map(self.of, keys)), key=lambda each: each.decided_at)

    def reviews(self, decisions: Sequence[Decision]) -> dict[str, list[Review]]:
        """What people did about them, by the decision's key, as they did it."""
        wanted = {reviews.part(decision): decision.key for decision in decisions}
        found: dict[str, list[Review]] = {}
        for window in {reviews.window(decision.decided_at) for decision in decisions}:
            for item in self._query(window, min(wanted), max(wanted) + "~"):
                start, review = reviews.review_of(item)
                if start in wanted:
                    found.setdefault(wanted[start], []).append(review)
        return found

    def note(self, key: str, action: Action, by: str) -> Decision | None:
        """What a person has done about a decision; None when there is none of this key."""
        decision = self.of(key)
        if decision is None:
            return None
        now_ms = self._clock_ms()
        items: list[Any] = [reviews.item_of(decision, Review(action=action, by=by, at=now_ms))]
        if action.label is not None:
            items.append(outcomes.label_item(decision, action.label, now_ms // 1000))
        for item in items:
            with asked("DynamoDB", f"table {self._outcomes}"):
                self._dynamodb.put_item(TableName=self._outcomes, Item=item)
        return decision

    def serving(self) -> Pointer | None:
        """Which version of the model serves, since when, and which did before; None before the first promotion."""
        return self._registry.current(_MODEL)

    def _items(self, first_ms: int, last_ms: int) -> Iterator[Mapping[str, Any]]:
        """The items of the minutes from the first to the last."""
        for hour_ms in range(first_ms // HOUR_MS * HOUR_MS, last_ms + 1, HOUR_MS):
            yield from self._query(outcomes.window(hour_ms), outcomes.part(first_ms), outcomes.part(last_ms + MINUTE_MS))

    def _newest(
        self, window: Callable[[int], str], most: int, within_ms: int, before: str | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """The items of the hours' windows from now, or from before one of them, back; read as they are asked for."""
        now_ms = self._clock_ms()
        last = f"{now_ms + HOUR_MS:014d}" if before is None else before
        if not last[:14].isdigit():
            raise UserMistake("`before` names no alert", hint="it is the `next` of an earlier answer")
        for hour_ms in range(min(int(last[:14]), now_ms) // HOUR_MS * HOUR_MS, now_ms - within_ms - HOUR_MS, -HOUR_MS):
            others = {"ConsistentRead": False, "ScanIndexForward": False, "PaginationConfig": {"PageSize": most}}
            found = self._query(window(hour_ms), f"{now_ms - within_ms:014d}", last, **others)
            yield from (item for item in found if item["part"]["S"] != before)

    def _query(self, window: str, *between: str, **others: Any) -> Iterator[Mapping[str, Any]]:
        """The items of a window; ``between`` the first and the last part of it, if they are given."""
        condition = "#window = :window" + (" AND #part BETWEEN :first AND :last" if between else "")
        values = dict(zip(("window", "first", "last"), (window, *between), strict=False))
        request = query(self._outcomes, condition, values, **others)
        with asked("DynamoDB", f"table {self._outcomes}"):
            for page in self._dynamodb.get_paginator("query").paginate(**request):
                yield from page["Items"]

    def _decoded(self, item: Mapping[str, Any], what: str) -> Decision:
        try:
            return decision_of(dict(item))
        except (KeyError, msgspec.MsgspecError) as error:
            raise Missing(
                f"the item of {what} is no decision of this version: {error}",
                hint="was the table written by another version of clickstream?",
            ) from error


def look(clients: Clients, settings: Settings, event: AnyEvent, _: Put) -> Effect | None:
    """The decision on a purchase."""
    decision = Decisions(clients, settings).on(event.event_id, event) if isinstance(event, Purchase) else None
    if decision is None:
        return None
    return Effect(
        what=f"decided: {decision.verdict.value}",
        at=decision.decided_at,
        model_version=decision.model_version,
        facts={
            "score": decision.score,
            "source": decision.source.value,
            "reasons": [reason.feature for reason in decision.reasons],
        },
    )

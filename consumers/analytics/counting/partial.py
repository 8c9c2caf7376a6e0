"""What one shard adds to one part of one window; everything in it adds up, so partials merge in any order.

| measure | definition |
|---|---|
| events | events by type |
| revenue | sum of ``purchase.amount`` by currency, in minor units |
| uniques | distinct ``user_id`` (HLL) |
| products, categories | product_view events by ``product_id``, by ``category`` (if any) |
| carted, bought | pieces by ``product_id``: add_to_cart's ``quantity``, a purchase's items' ``quantity`` |
| searches | search events by normalised query (if any is left) |
| countries, devices | events by ``context.country``, by ``context.device_kind`` (if any) |
| funnel | see ``clickstream.consumers.analytics.counting.sessions`` |
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from clickstream.answers.uniques import Uniques
from clickstream.consumers.analytics.counting.sessions import COUNTERS
from clickstream.consumers.analytics.counting.tally import Tally, TallyState
from clickstream.consumers.analytics.windows import HOUR
from clickstream.events import ADDED, AddToCart, AnyEvent, Event, Events, ProductView, Purchase, Search

#: Keys that are counted singly, per tally of a minute and of an hour.
MINUTE_CAPACITY = 16_384
HOUR_CAPACITY = 65_536
#: Characters of a normalised search query that are kept.
LONGEST_QUERY = 100

#: New ones go to the end: what was stored before has the first few alone.
TALLIES = ("products", "categories", "carted", "bought", "searches", "countries", "devices")


def capacity(width: int) -> int:
    return HOUR_CAPACITY if width == HOUR else MINUTE_CAPACITY


def normalised(query: str) -> str:
    """Search terms that differ in case or spacing alone are one."""
    return " ".join(query.casefold().split())[:LONGEST_QUERY]


class Columns(NamedTuple):
    """Some events by what is counted of them; every list in shard order."""

    kinds: Mapping[type[Event], int]
    users: Sequence[str]
    revenue: list[tuple[str, int]]
    keys: dict[str, list[str]]
    """By tally: keys that count once each."""
    weights: dict[str, list[tuple[str, int]]]
    """By tally: keys, and how much each counts."""

    @property
    def most_keys(self) -> int:
        """No tally gets more new keys of it than this."""
        return max(len(column) for columns in (self.keys, self.weights) for column in columns.values())


def columns(events: Sequence[AnyEvent]) -> Columns:
    of_kind: defaultdict[type[Event], list[Any]] = defaultdict(list)
    for event in events:
        of_kind[type(event)].append(event)
    if _ADDED_TO:
        of_kind = _of_the_seven(of_kind)
    kinds = {kind: len(found) for kind, found in of_kind.items()}
    views, purchases = of_kind[ProductView], of_kind[Purchase]
    envelopes = Events.of(events).envelopes
    return Columns(
        kinds=kinds,
        users=envelopes.user_ids,
        revenue=[(event.currency, event.amount) for event in purchases],
        keys={
            "products": [event.product_id for event in views],
            "categories": [event.category for event in views if event.category],
            "searches": [query for event in of_kind[Search] if (query := normalised(event.query))],
        },
        weights={
            "carted": [(event.product_id, event.quantity) for event in of_kind[AddToCart]],
            "bought": [(item.product_id, item.quantity) for event in purchases for item in event.items],
            "countries": _counted([context.country for context in envelopes.contexts]),
            "devices": _counted([context.device_kind or "" for context in envelopes.contexts]),
        },
    )


#: What stands for one of the seven where a shop has added properties → that one.
_ADDED_TO = {added: kind for kind, added in ADDED.items()}


def _of_the_seven(of_kind: Mapping[type[Event], list[Any]]) -> defaultdict[type[Event], list[Any]]:
    merged: defaultdict[type[Event], list[Any]] = defaultdict(list)
    for kind, found in of_kind.items():
        merged[_ADDED_TO.get(kind, kind)] += found
    return merged


def _counted(keys: Sequence[str]) -> list[tuple[str, int]]:
    """Few keys, many times: counted here once, for the minute and the hour. In order of first appearance."""
    return [(key, count) for key, count in Counter(keys).items() if key]


class PartialState(msgspec.Struct, array_like=True):
    """A partial, encoded whole. ``tallies`` in the order of ``TALLIES``."""

    events: dict[str, int]
    revenue: dict[str, int]
    uniques: bytes
    funnel: list[int]
    tallies: list[TallyState]


class Partial:
    """An accumulator. A *fresh* partial holds what came since it was last merged into its ``base``."""

    __slots__ = ("events", "funnel", "revenue", "tallies", "uniques")

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.revenue: Counter[str] = Counter()
        self.uniques = Uniques()
        self.funnel = [0] * COUNTERS
        self.tallies = {name: Tally() for name in TALLIES}

    def add(self, part: Columns, base: "Partial", capacity: int) -> None:
        """Everything but ``uniques`` and ``funnel``, which their callers have cheaper ways to add."""
        for kind, count in part.kinds.items():
            self.events[str(kind.__struct_config__.tag)] += count
        for currency, amount in part.revenue:
            self.revenue[currency] += amount
        for name, keys in part.keys.items():
            if keys:
                self.tallies[name].count(keys, base.tallies[name], capacity)
        for name, weights in part.weights.items():
            if weights:
                self.tallies[name].count_weighted(weights, base.tallies[name], capacity)

    def has_room(self, keys: int, base: "Partial", capacity: int) -> bool:
        return all(tally.has_room(keys, base.tallies[name], capacity) for name, tally in self.tallies.items())

    def add_funnel(self, counters: Iterable[int]) -> None:
        self.funnel = [mine + more for mine, more in zip(self.funnel, counters, strict=True)]

    def merge(self, fresh: "Partial") -> None:
        self.merge_counts(fresh)
        self.uniques.merge(fresh.uniques)
        self.add_funnel(fresh.funnel)

    def merge_counts(self, fresh: "Partial") -> None:
        """Everything but ``uniques`` and ``funnel``."""
        self.events.update(fresh.events)
        self.revenue.update(fresh.revenue)
        for name, tally in self.tallies.items():
            tally.merge(fresh.tallies[name])

    def state(self) -> PartialState:
        return PartialState(
            events=self.events,
            revenue=self.revenue,
            uniques=self.uniques.to_bytes(),
            funnel=self.funnel,
            tallies=[tally.state() for tally in self.tallies.values()],
        )

    @classmethod
    def from_state(cls, state: PartialState) -> "Partial":
        partial = cls()
        partial.events.update(state.events)
        partial.revenue.update(state.revenue)
        partial.uniques.merge_bytes(state.uniques)
        partial.funnel = state.funnel
        for name, tally in zip(TALLIES, state.tallies, strict=False):  # an older state has fewer
            partial.tallies[name] = Tally.from_state(tally)
        return partial

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
from clickstream.consumers.analytics.counting.tally import Tally
from clickstream.consumers.analytics.windows import HOUR
from clickstream.events import AnyEvent, Event, Events

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

    types: Mapping[str, int]
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
    of_class: defaultdict[type[Event], list[Any]] = defaultdict(list)
    for event in events:
        of_class[type(event)].append(event)
    of_type: defaultdict[str, list[Any]] = defaultdict(list)
    for kind, found in of_class.items():
        of_type[str(kind.__struct_config__.tag)] += found  # where a shop has added properties, two classes are of one type
    types = {kind: len(found) for kind, found in of_type.items()}
    views, purchases = of_type["product_view"], of_type["purchase"]
    envelopes = Events.of(events).envelopes
    return Columns(
        types=types,
        users=envelopes.user_ids,
        revenue=[(event.currency, event.amount) for event in purchases],
        keys={
            "products": [event.product_id for event in views],
            "categories": [event.category for event in views if event.category],
            "searches": [query for event in of_type["search"] if (query := normalised(event.query))],
        },
        weights={
            "carted": [(event.product_id, event.quantity) for event in of_type["add_to_cart"]],
            "bought": [(item.product_id, item.quantity) for event in purchases for item in event.items],
            "countries": _counted([context.country for context in envelopes.contexts]),
            "devices": _counted([context.device_kind or "" for context in envelopes.contexts]),
        },
    )


def _counted(keys: Sequence[str]) -> list[tuple[str, int]]:
    """Few keys, many times: counted here once, for the minute and the hour. In order of first appearance."""
    return [(key, count) for key, count in Counter(keys).items() if key]


class Partial(msgspec.Struct, array_like=True):
    """An accumulator. A *fresh* partial holds what came since it was last merged into its ``base``."""

    events: Counter[str] = msgspec.field(default_factory=Counter)
    revenue: Counter[str] = msgspec.field(default_factory=Counter)
    uniques: Uniques = msgspec.field(default_factory=Uniques)
    funnel: list[int] = msgspec.field(default_factory=lambda: [0] * COUNTERS)
    tallies: list[Tally] = msgspec.field(default_factory=lambda: [Tally() for _ in TALLIES])
    """In the order of ``TALLIES``."""

    def add(self, part: Columns, base: "Partial", capacity: int) -> None:
        """Everything but ``uniques`` and ``funnel``, which their callers have cheaper ways to add."""
        self.events.update(part.types)
        for currency, amount in part.revenue:
            self.revenue[currency] += amount
        for name, tally, known in zip(TALLIES, self.tallies, base.tallies, strict=True):
            if keys := part.keys.get(name):
                tally.count(keys, known, capacity)
            if weights := part.weights.get(name):
                tally.count_weighted(weights, known, capacity)

    def has_room(self, keys: int, base: "Partial", capacity: int) -> bool:
        return all(mine.has_room(keys, known, capacity) for mine, known in zip(self.tallies, base.tallies, strict=True))

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
        for tally, more in zip(self.tallies, fresh.tallies, strict=False):  # of an older state there are fewer
            tally.merge(more)

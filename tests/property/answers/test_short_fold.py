"""The promises of a short application's fold, over one that uses all there is."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.answers import HOUR, MINUTE
from clickstream.answers.effects import Message
from clickstream.answers.fold import ShortFold
from clickstream.application import Inheritance
from clickstream.events import AddToCart, AnyEvent, Login, ProductView, Purchase
from clickstream.records.routing import MAX_HASH_KEY, HashRange, hash_key
from tests.property.answers.shop import LATENESS, SHOP, Store, streams

Step = tuple[int, Literal["effects", "changes", "snapshot", "restart"]]
steps = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["effects", "changes", "changes", "snapshot", "restart"])), max_size=14
)
most_rows = st.sampled_from([1, 3, 1000])


def in_one_batch(events: list[AnyEvent], most: int = 1000, users: int = 1000) -> tuple[ShortFold, Store]:
    fold, store = ShortFold(SHOP, most_rows=most, most_users=users), Store()
    fold.apply(events)
    store.write(fold.effects(flush=True))
    return fold, store


@settings(max_examples=400, deadline=None)
@given(streams, steps, most_rows, st.sampled_from([2, 1000]))
def test_any_cut_commit_and_restart_gives_the_same_state_and_effects(
    events: list[AnyEvent], steps: list[Step], most: int, users: int
) -> None:
    store = Store()
    fold, at, committed = ShortFold(SHOP, most_rows=most, most_users=users), 0, 0
    chain: list[bytes] = []
    for length, what in steps:
        fold.apply(events[at : at + length])
        at = min(len(events), at + length)
        match what:
            case "effects":
                store.write(fold.effects(flush=False))
            case "changes" | "snapshot":
                # the order of the runtime: the effects are durable before the state is
                chain = [*chain, fold.changes()] if what == "changes" else [fold.snapshot()]
                store.write(fold.effects(flush=False))
                committed = at
            case "restart":
                fold, at = ShortFold(SHOP, most_rows=most, most_users=users), committed
                for state in chain:
                    fold.restore(state, None)
    fold.apply(events[at:])
    store.write(fold.effects(flush=True))
    whole, expected = in_one_batch(events, most, users)
    assert store.known() == expected.known()
    assert fold.snapshot() == whole.snapshot()


@settings(max_examples=200, deadline=None)
@given(streams, st.integers(0, 60), st.integers(1, MAX_HASH_KEY))
def test_a_split_and_a_merge_keep_users_and_timers(events: list[AnyEvent], split_at: int, border: int) -> None:
    """Whoever is known, in whichever shard: with a pause in which nothing is due, all goes on as in one shard."""
    parent, store = in_one_batch(events[:split_at])
    halves = HashRange.of(0, border - 1), HashRange.of(border, MAX_HASH_KEY)
    children = [ShortFold(SHOP) for _ in halves]
    for child, keys in zip(children, halves, strict=True):
        child.restore(parent.snapshot(), Inheritance(keys))
    merged = ShortFold(SHOP)
    for child in children:
        merged.restore(child.snapshot(), Inheritance(HashRange.of(0, MAX_HASH_KEY)))
    later = Store()
    merged.apply(events[split_at:])
    later.write(merged.effects(flush=True))
    whole, expected = in_one_batch(events)
    assert store.messages | later.messages == expected.messages
    assert store.merged(later) == expected.merged()
    assert users(merged) == users(whole)


@settings(max_examples=200, deadline=None)
@given(streams, st.integers(0, 60), st.integers(1, MAX_HASH_KEY))
def test_two_children_go_on_as_the_undivided_shard(events: list[AnyEvent], split_at: int, border: int) -> None:
    """Each meets its own users alone. What the other meets moves its watermark too, as an event that nobody handles."""
    split_at %= len(events) + 1
    parent, store = in_one_batch(events[:split_at])
    halves = HashRange.of(0, border - 1), HashRange.of(border, MAX_HASH_KEY)
    stores, found = [], []
    for keys in halves:
        child, given = ShortFold(SHOP), Store()
        child.restore(parent.snapshot(), Inheritance(keys))
        for event in events[split_at:]:
            mine = hash_key(event.user_id) in keys
            child.apply([event if mine else Login(event_id="tick", user_id="x", session_id="x", occurred_at=event.occurred_at)])
        given.write(child.effects(flush=True))
        assert all(hash_key(user[0]) in keys for user in users(child))
        stores.append(given)
        found += users(child)
    whole, expected = in_one_batch(events)
    assert sorted(found) == users(whole)
    sent = [store.messages, *(given.messages for given in stores)]
    assert [*sorted(key for each in sent for key in each)] == sorted(expected.messages), "sent twice, or not at all"
    assert store.messages | stores[0].messages | stores[1].messages == expected.messages
    assert store.merged(*stores) == expected.merged()


@settings(max_examples=200, deadline=None)
@given(streams, st.integers(1, MAX_HASH_KEY))
def test_rows_of_two_shards_merge_to_those_of_one(events: list[AnyEvent], border: int) -> None:
    low = [event for event in events if hash_key(event.user_id) < border.to_bytes(16, "big")]
    high = [event for event in events if event not in low]
    stores = [in_one_batch(part)[1].merged() for part in (low, high)]
    both = in_one_batch(low)[1].merged(in_one_batch(high)[1])
    assert both == counted(events, both)
    assert {place for store in stores for place in store} == set(both)


@settings(max_examples=200, deadline=None)
@given(streams, most_rows)
def test_every_event_counts_once_however_late(events: list[AnyEvent], most: int) -> None:
    answers = in_one_batch(events, most)[1].merged()
    assert answers == counted(events, answers)


def counted(events: list[AnyEvent], given: dict[Any, Any]) -> dict[Any, Any]:
    """The answers, by other means; the reminders among them are as given, and have a test of their own."""
    rows: dict[Any, Any] = {place: row for place, row in given.items() if place == ("ever", 0, "reminders")}
    views: dict[tuple[int, str], list[ProductView]] = {}
    sold: dict[int, list[Any]] = {}
    for event in events:
        if isinstance(event, ProductView):
            views.setdefault((event.occurred_at // MINUTE * MINUTE, event.product_id), []).append(event)
        elif isinstance(event, Purchase):
            sold.setdefault(event.occurred_at // HOUR * HOUR, []).extend(event.items)
    for (start, product), mine in views.items():
        times = [event.occurred_at for event in mine]
        viewers = len({event.user_id for event in mine})
        rows["seen", start, product] = {"views": len(mine), "viewers": viewers, "first": min(times), "last": max(times)}
    for product, count in Counter(product for (_, product), mine in views.items() for _ in mine).items():
        rows["ever", 0, product] = {"events": count}
    for start, items in sold.items():
        counts: Counter[str] = Counter()
        for item in items:
            counts[item.product_id] += item.quantity
        key, count = min(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        answer = given["sold", start, "all"]
        prices = sorted(item.price for item in items)
        for at, price in answer["prices"].items():
            exact = prices[int(float(at) * (len(prices) - 1))]
            assert abs(price - exact) <= exact / 100
        top = [{"key": key, "count": count, "most": count}]
        rows["sold", start, "all"] = {"pieces": counts.total(), "prices": answer["prices"], "top": top}
    return rows


def users(fold: ShortFold) -> Any:
    return sorted(msgspec.msgpack.decode(fold.snapshot())[7])


@settings(max_examples=300, deadline=None)
@given(streams)
def test_timers_go_off_when_events_have_come_so_far(events: list[AnyEvent]) -> None:
    """A plain account of who is due: all timers looked through before every event."""
    sent: list[str] = []
    watermark = 0
    timers: dict[tuple[str, str], int] = {}
    added: Counter[str] = Counter()
    product: defaultdict[str, str] = defaultdict(str)
    seen: dict[str, int] = {}
    for event in events:
        watermark = max(watermark, event.occurred_at)
        for at, user, name in sorted((at, *who) for who, at in timers.items() if at + LATENESS <= watermark):
            if timers.get((user, name)) != at:
                continue
            del timers[user, name]
            seen[user] = watermark
            if name == "cart":
                sent.append(f"{user}:{at}:{product[user]}:{added[user]}")
            else:
                added[user] += 100
                timers[user, "cart"] = at if added[user] % 2 else at + 4 * MINUTE
        user = event.user_id
        if isinstance(event, ProductView | AddToCart | Purchase):
            waits = any(who == user for who, _ in timers)
            if not waits and seen.get(user, watermark) <= watermark - SHOP.users_kept:
                added[user], product[user] = 0, ""
            seen[user] = watermark
        if isinstance(event, AddToCart):
            added[user] += event.quantity
            product[user] = event.product_id
            timers[user, "cart"] = event.occurred_at + 3 * MINUTE
            timers[user, "check"] = event.occurred_at + MINUTE
            if event.quantity == 3:
                del timers[user, "check"]
        elif isinstance(event, Purchase):
            added[user], product[user] = 0, ""
            timers = {who: at for who, at in timers.items() if who[0] != user}
    fold = ShortFold(SHOP)
    fold.apply(events)
    effects = fold.effects(flush=True)
    assert [effect.id for effect in effects if isinstance(effect, Message)] == sent

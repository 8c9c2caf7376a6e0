"""The fold: which purchases come out, and with which features."""

from __future__ import annotations

import math
import random

import pytest
from msgspec.structs import replace

from clickstream.application import Inheritance
from clickstream.consumers.fraud.fold import Candidate, FraudFold
from clickstream.events import AnyEvent, Context
from clickstream.models.features.crossing import Part
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.records.routing import MAX_HASH_KEY, HashRange, hash_key
from tests.unit.fraud.shopping import HOUR_MS, MINUTE_MS, START_MS, cart, login, page, purchase, undecided, view


def named(candidate: Candidate) -> dict[str, float]:
    return dict(zip(PURCHASES.names, candidate.vector, strict=True))


def candidates(*events: AnyEvent) -> list[Candidate]:
    fold = FraudFold()
    fold.apply(events)
    return undecided(fold)


def test_a_purchase_tells_what_its_user_did() -> None:
    before = START_MS - 48 * HOUR_MS
    (_, last) = candidates(
        purchase("ann", before, amount=2_000),
        login("ann", START_MS - 30 * MINUTE_MS, success=False),
        login("ann", START_MS - 20 * MINUTE_MS, success=False),
        login("ann", START_MS - 15 * MINUTE_MS),
        view("bob", START_MS - 12 * MINUTE_MS),
        view("ann", START_MS - 10 * MINUTE_MS),
        view("ann", START_MS - 5 * MINUTE_MS),
        cart("ann", START_MS - 3 * MINUTE_MS),
        page("ann", START_MS - 2 * MINUTE_MS),
        purchase("ann", START_MS, amount=9_000, card="card-2", context=Context(device="phone", country="DE"), pieces=3),
    )
    features = named(last)
    expected = {
        "amount": 9_000,
        "pieces": 3,
        "lines": 1,
        "purchases_1h": 1,
        "purchases_24h": 1,
        "purchases_7d": 2,
        "spent_24h": 9_000,
        "spent_7d": 11_000,
        "amount_to_usual_7d": 4.5,
        "since_purchase_7d": 48 * 3600,
        "devices_7d": 2,
        "payments_24h": 1,
        "payments_7d": 2,
        "countries_7d": 1,
        "new_device_7d": 1,
        "new_payment_7d": 1,
        "new_country_7d": 0,
        "failed_logins_1h": 2,
        "since_failed_login_24h": 20 * 60,
        "views_1h": 2,
        "carts_1h": 1,
        "since_cart_24h": 3 * 60,
        "since_view_24h": 5 * 60,
    }
    assert {name: features[name] for name in expected} == expected
    assert math.isnan(features["new_ip_7d"]), "this purchase tells no ip"


@pytest.mark.parametrize(("currency", "cents"), [("EUR", 100), ("USD", 92), ("JPY", 62)])
def test_amounts_are_told_in_euro_cents(currency: str, cents: float) -> None:
    (candidate,) = candidates(purchase("ann", START_MS, amount=100, currency=currency))
    assert named(candidate)["amount"] == pytest.approx(cents)
    assert (candidate.amount, candidate.currency) == (100, currency)


def test_an_unknown_currency_leaves_the_amount_missing_and_the_history_whole() -> None:
    _, strange, last = candidates(
        purchase("ann", START_MS, amount=100),
        purchase("ann", START_MS + 1, amount=7, currency="XXX"),
        purchase("ann", START_MS + 2, amount=300),
    )
    assert math.isnan(named(strange)["amount"])
    assert named(last)["purchases_1h"] == 3
    assert named(last)["amount_to_usual_7d"] == 3


def test_no_history_no_context_no_card() -> None:
    (candidate,) = candidates(purchase("ann", START_MS, card="", context=Context()))
    features = named(candidate)
    assert features["purchases_7d"] == 1
    assert features["devices_7d"] == features["payments_7d"] == 0
    for name in ("amount_to_usual_7d", "since_purchase_7d", "since_cart_24h", "new_device_7d", "new_payment_7d"):
        assert math.isnan(features[name]), name


def traffic(seed: int, length: int) -> list[AnyEvent]:
    """Six users' events, some of them late."""
    chance = random.Random(seed)
    makers = (purchase, view, cart, login, page)
    events: list[AnyEvent] = []
    for n in range(length):
        at_ms = START_MS + n * 20 * MINUTE_MS - chance.choice([0, 0, 0, 3 * HOUR_MS])
        user = f"user-{chance.randrange(6)}"
        events.append(chance.choice(makers)(user, at_ms))
    return events


def test_a_crash_and_a_resharding_change_no_candidate() -> None:
    events = traffic(5, 900)
    expected = candidates(*events)
    halves = (HashRange.of(0, MAX_HASH_KEY // 2), HashRange.of(MAX_HASH_KEY // 2 + 1, MAX_HASH_KEY))
    ours: list[Candidate] = []

    parent = FraudFold()
    parent.apply(events[:200])
    chain = [parent.snapshot()]
    parent.apply(events[200:300])
    ours += undecided(parent)
    chain.append(parent.changes())
    parent.apply(events[300:310])  # lost in the crash, with the effects that it had not given out

    again = FraudFold()
    for link in chain:
        again.restore(link, None)
    again.apply(events[300:500])
    ours += undecided(again)
    chain.append(again.changes())

    children = [FraudFold() for _ in halves]
    ends = []
    for child, keys in zip(children, halves, strict=True):
        for link in chain:
            child.restore(link, Inheritance(keys))
        first = child.snapshot()
        child.apply([event for event in events[500:700] if hash_key(event.user_id) in keys])
        ours += undecided(child)
        ends.append([first, child.changes()])

    merged = FraudFold()
    for end in ends:
        for link in end:
            merged.restore(link, Inheritance(HashRange.of(0, MAX_HASH_KEY)))
    merged.apply(events[700:])
    ours += undecided(merged)

    def told(candidates: list[Candidate]) -> dict[str, str]:
        """Without the parts of what crosses shards: children begin those anew. NaN equals itself as text."""
        return {candidate.event_id: repr(replace(candidate, own=())) for candidate in candidates}

    assert len(told(ours)) == len(ours)
    assert told(ours) == told(expected)


def test_effects_are_given_once() -> None:
    fold = FraudFold()
    fold.apply([purchase("ann", START_MS)])
    assert [type(effect) for effect in fold.effects(flush=False)] == [Candidate, Part, Part, Part]
    assert fold.effects(flush=True) == []

"""Keys that many shards see: merged as if there were one shard, never staler than the bound, and never in the way."""

from __future__ import annotations

import itertools
import random

import pytest

from clickstream import platform
from clickstream.application import Inheritance
from clickstream.consumers.fraud.crossing.freshness import STALENESS_MS, OtherShards, told_up_to
from clickstream.consumers.fraud.decisions import PARTIAL
from clickstream.consumers.fraud.fold import CROSSING, Candidate, FraudFold
from clickstream.consumers.fraud.needs import SIGHTINGS
from clickstream.consumers.fraud.rules import COLD_START, judge
from clickstream.errors import RetryLater
from clickstream.events import AnyEvent, Context, Purchase
from clickstream.models.features.crossing import Part
from clickstream.models.features.engine import Engine
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.rows import ROWS
from clickstream.progress.completeness import told_range
from clickstream.progress.shards_table import ShardProgress
from clickstream.records.position import Position
from clickstream.records.routing import MAX_HASH_KEY, HashRange, hash_key
from tests.unit.fraud.shop import SETTINGS, Shop
from tests.unit.fraud.shopping import MINUTE_MS, START_MS, login, purchase

SHARDS = ("shardId-000000000000", "shardId-000000000001")
HALVES = (HashRange.of(0, MAX_HASH_KEY // 2), HashRange.of(MAX_HASH_KEY // 2 + 1, MAX_HASH_KEY))
WHOLE = HashRange.of(0, MAX_HASH_KEY)


def ring(seed: int, length: int) -> list[AnyEvent]:
    """Users of both shards on few addresses, devices and cards, some events late, some keys missing."""
    chance = random.Random(seed)
    events: list[AnyEvent] = []
    for n in range(length):
        at_ms = START_MS + n * 5 * MINUTE_MS - chance.choice([0, 0, 0, 40 * MINUTE_MS])
        user = f"user-{chance.randrange(12)}"
        if chance.random() < 0.3:
            events.append(login(user, at_ms, success=False))
            continue
        context = Context(device=f"d{chance.randrange(4)}", ip=chance.choice(["", "a", "b", "c"]), country="DE")
        events.append(purchase(user, at_ms, card=f"card-{chance.randrange(5)}", context=context))
    return events


def whole_vectors(events: list[AnyEvent]) -> dict[str, str]:
    """Of one engine that sees everything, by event id; as text, where NaN equals itself."""
    engine = Engine(PURCHASES, durable=False)
    found = {}
    for event in events:
        kind, row = ROWS[type(event)](event)
        vector = engine.vector(kind, event.occurred_at, row)
        if isinstance(event, Purchase):
            found[event.event_id] = repr(tuple(vector))
    return found


def home(event: AnyEvent) -> int:
    return 0 if hash_key(event.user_id) in HALVES[0] else 1


class Told:
    """Parts of all shards, without any table: the newest of each."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, bytes]] = {}

    def take(self, shard: str, fold: FraudFold) -> list[Candidate]:
        effects = fold.effects(flush=True)
        for effect in effects:
            if isinstance(effect, Part):
                self.parts.setdefault(effect.seen, {})[shard] = effect.content
        return [effect for effect in effects if isinstance(effect, Candidate)]

    def complete(self, shard: str, candidate: Candidate) -> str:
        others = {
            name: [content for teller, content in shards.items() if teller != shard] for name, shards in self.parts.items()
        }
        return repr(CROSSING.filled(candidate.vector, candidate.own, candidate.occurred_at, others))


@pytest.mark.parametrize("seed", range(4))
def test_the_parts_of_two_shards_say_what_one_engine_says(seed: int) -> None:
    """Also through a split in the middle: what the parent saw stays its part, and the children begin anew."""
    events = ring(seed, 300)
    told = Told()
    found: dict[str, str] = {}
    parent = FraudFold()
    for event in events[:150]:
        parent.apply([event])
        found |= {candidate.event_id: told.complete("parent", candidate) for candidate in told.take("parent", parent)}
    children = [FraudFold() for _ in HALVES]
    for child, keys in zip(children, HALVES, strict=True):
        child.restore(parent.snapshot(), Inheritance(keys))
    for event in events[150:]:
        child = children[home(event)]
        child.apply([event])
        shard = SHARDS[home(event)]
        found |= {candidate.event_id: told.complete(shard, candidate) for candidate in told.take(shard, child)}
    assert found == whole_vectors(events)


def test_a_shard_that_catches_up_answers_as_of_each_purchase() -> None:
    """Weeks within one batch: by its end the first purchases' histories have expired, and their windows still hold them."""
    events: list[AnyEvent] = [purchase(f"user-{n}", START_MS + n * 12 * 60 * MINUTE_MS) for n in range(40)]
    fold, told = FraudFold(), Told()
    fold.apply(events)
    found = {candidate.event_id: told.complete("mine", candidate) for candidate in told.take("mine", fold)}
    assert found == whole_vectors(events)


def test_the_state_holds_nothing_of_other_shards() -> None:
    """Two folds of the same events are the same bytes, whatever was decided beside them."""
    folds = [FraudFold(), FraudFold()]
    for fold in folds:
        fold.apply(ring(9, 50))
    told = Told()
    for candidate in told.take("mine", folds[0]):
        told.complete("mine", candidate)
    assert folds[0].snapshot() == folds[1].snapshot()


class TwoShards:
    """Two sinks over one table, and what the shards table says of them."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.sinks = [shop.open_sink(shard=shard) for shard in SHARDS]
        self.folds = [FraudFold(), FraudFold()]
        self._position = itertools.count(1)
        for number in range(2):
            self.says(number, arrived_to=shop.now_ms)

    def says(self, number: int, *, arrived_to: int, keys: HashRange | None = None) -> None:
        self.shop.clients.dynamodb.put_item(
            TableName=platform.SHARDS.of(SETTINGS),
            Item={
                "application": {"S": "fraud"},
                "shard": {"S": SHARDS[number]},
                "hash_range": {"S": told_range(keys or HALVES[number])},
                "arrived_to": {"N": str(arrived_to)},
            },
        )

    def buy(self, number: int, event: Purchase) -> dict[str, float]:
        """The features with which the purchase was decided."""
        self.folds[number].apply([event])
        self.sinks[number].write(self.folds[number].effects(flush=True), Position(next(self._position)))
        return dict(zip(PURCHASES.names, self.shop.of(event).vector, strict=True))


@pytest.fixture
def shards(shop: Shop) -> TwoShards:
    return TwoShards(shop)


def test_a_device_is_known_on_the_other_shard(shards: TwoShards) -> None:
    for number in range(4):
        features = shards.buy(number % 2, purchase(f"user-{number}", START_MS + number))
    assert (features["users_by_device_24h"], features["purchases_by_payment_1h"]) == (4, 4)
    assert features["purchases_7d"] == 1


@pytest.mark.parametrize(
    ("ago_ms", "own", "known"),
    [
        (STALENESS_MS, HALVES[1], True),
        (STALENESS_MS + 1, HALVES[1], False),
        (10**12, HALVES[1], False),
        (10**6, WHOLE, True),
    ],
    ids=["just in time", "behind", "nothing told", "ended: this shard has its keys"],
)
def test_nothing_staler_than_two_seconds_decides(shards: TwoShards, ago_ms: int, own: HashRange, known: bool) -> None:
    now_ms = shards.shop.now_ms
    shards.buy(0, purchase("ann", now_ms))
    shards.says(0, arrived_to=max(0, now_ms - ago_ms))
    shards.says(1, arrived_to=0, keys=own)
    event = purchase("bob", now_ms)
    users = shards.buy(1, event)["users_by_device_24h"]
    reasons = shards.shop.of(event).reasons
    assert (users == 2, "keys_across_shards" not in [reason.feature for reason in reasons]) == (known, known)


def test_an_old_purchase_needs_only_what_was_before_it(shards: TwoShards) -> None:
    """A shard that catches up is not held to the present."""
    hour_ago = shards.shop.now_ms - 60 * MINUTE_MS
    shards.says(0, arrived_to=hour_ago)
    assert shards.buy(1, purchase("ann", hour_ago))["users_by_device_24h"] == 1


@pytest.mark.parametrize("table", [SIGHTINGS.of(SETTINGS), platform.SHARDS.of(SETTINGS)])
def test_a_store_that_is_down_stops_no_decision(shards: TwoShards, table: str) -> None:
    shards.shop.clients.dynamodb.delete_table(TableName=table)
    event = purchase("ann", shards.shop.now_ms)
    shards.folds[0].apply([event])
    effects = shards.folds[0].effects(flush=True)
    if table == SIGHTINGS.of(SETTINGS):
        with pytest.raises(RetryLater, match="DynamoDB"):  # what this shard saw is not told: the commit waits
            shards.sinks[0].write(effects, Position(1))
    else:
        shards.sinks[0].write(effects, Position(1))
    decision = shards.shop.of(event)
    assert decision.reasons[-1].feature == PARTIAL.feature
    minute_ms = decision.decided_at // MINUTE_MS * MINUTE_MS
    (minute,) = shards.shop.decisions.minutes(minute_ms, minute_ms + MINUTE_MS)
    assert minute.counts[decision.verdict] == 1


def test_a_replay_or_an_older_owner_takes_nothing_back(shards: TwoShards) -> None:
    first, second = purchase("ann", START_MS), purchase("joe", START_MS + 1)
    fold = shards.folds[0]
    fold.apply([first])
    early = fold.effects(flush=True)
    fold.apply([second])
    late = fold.effects(flush=True)
    for effects, position in ((early, 1), (late, 2), (early, 1), (early, 1)):
        shards.sinks[0].write(effects, Position(position))
    assert shards.buy(1, purchase("bob", START_MS + 2))["users_by_device_24h"] == 3


def test_more_keys_than_one_request_takes(shards: TwoShards) -> None:
    def crowd(name: str) -> list[Purchase]:
        return [
            purchase(f"{name}-{n}", START_MS, card=f"card-{n}", context=Context(device=f"d{n}", ip=f"ip{n}")) for n in range(90)
        ]

    shards.folds[0].apply(crowd("x"))
    shards.sinks[0].write(shards.folds[0].effects(flush=True), Position(1))
    events = crowd("y")
    shards.folds[1].apply(events)
    shards.sinks[1].write(shards.folds[1].effects(flush=True), Position(1))
    at = PURCHASES.names.index("users_by_ip_24h")
    assert {shards.shop.of(event).vector[at] for event in events[:3] + events[-3:]} == {2}


def test_a_first_owner_that_has_not_committed_has_told_nothing() -> None:
    silent = ShardProgress(application="fraud", shard=SHARDS[1], hash_range=told_range(WHOLE))
    assert told_up_to([silent], own=SHARDS[0]) == float("-inf")
    assert told_up_to([silent], own=SHARDS[1]) == float("inf")


def test_the_shards_that_have_ended_are_known_from_the_table(shards: TwoShards) -> None:
    """Their parts of a key may be put together."""
    key = {"application": {"S": "fraud"}, "shard": {"S": SHARDS[0]}}
    shards.shop.clients.dynamodb.update_item(
        TableName=platform.SHARDS.of(SETTINGS),
        Key=key,
        UpdateExpression="SET ended = :true",
        ExpressionAttributeValues={":true": {"BOOL": True}},
    )
    others = OtherShards(shards.shop.clients, SETTINGS, "fraud", SHARDS[1])
    others.told_up_to(shards.shop.now_ms)
    assert others.ended == {SHARDS[0]}


def test_the_cold_start_has_rules_for_shared_keys() -> None:
    known = dict.fromkeys(PURCHASES.names, 0.0)
    assert judge(COLD_START, known | {"users_by_device_24h": 5}).score == 0.7
    assert judge(COLD_START, known | {"users_by_device_24h": float("nan")}).score == 0.0

"""The decisions table, its outbox of alerts, the model registry and the query, over moto."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from clickstream.aws import Clients
from clickstream.aws.topics import Topic
from clickstream.cli import cli
from clickstream.consumers.fraud.decisions import RULES_VERSION, Source
from clickstream.consumers.fraud.needs import ALERTS, DECISIONS
from clickstream.consumers.fraud.wiring import APPLICATION
from clickstream.errors import RetryLater
from clickstream.models.features.definitions import FeatureSet
from clickstream.models.fraud import scoring
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.verdicts import Verdict
from clickstream.platform import MODELS
from clickstream.records.position import Position
from tests.unit.fraud.shop import AT, SETTINGS, Shop, effects, files_of
from tests.unit.fraud.shopping import START_MS, purchase

#: More than the time within which a promotion must be seen.
LATER_S = 10


def test_without_a_model_the_rules_decide(shop: Shop) -> None:
    event = purchase("ann", START_MS)
    shop.sink.write(effects(event), AT)
    decision = shop.of(event)
    assert (decision.verdict, decision.source, decision.model_version) == (Verdict.APPROVE, Source.RULES, RULES_VERSION)
    assert decision.order_id == event.order_id
    assert len(decision.vector) == len(PURCHASES.names)
    assert shop.alerts() == []


def test_the_first_decision_stays(shop: Shop, good: dict[str, bytes]) -> None:
    event = purchase("ann", START_MS, amount=90_000)
    shop.sink.write(effects(event), AT)
    first = shop.of(event)
    version = shop.publish(good)
    shop.clock.now_s += LATER_S
    new = purchase("bob", START_MS, amount=90_000)
    shop.sink.write(effects(event, new), AT)  # the replay after a crash comes with another model
    assert repr(shop.of(event)) == repr(first)
    assert shop.of(new).model_version == version
    assert shop.of(new).verdict is Verdict.BLOCK


def test_an_older_owner_changes_nothing(shop: Shop) -> None:
    event = purchase("ann", START_MS, currency="XXX")
    shop.sink.write(effects(event), AT)
    first = shop.of(event)
    shop.clock.now_s += 1
    shop.open_sink().write(effects(event), Position(0, 0))
    assert repr(shop.of(event)) == repr(first)
    assert len(shop.alerts()) == 1


def test_a_promotion_and_a_rollback_are_seen_between_commits(shop: Shop, good: dict[str, bytes]) -> None:
    other = files_of(PURCHASES, seed=2)
    versions: list[str] = []
    changes: list[Callable[[], str]] = [
        lambda: shop.publish(good),
        lambda: shop.publish(other),
        lambda: shop.registry.rollback("fraud", now_ms=0).version or "",
        # before the first model, rules decided
        lambda: shop.registry.rollback("fraud", now_ms=0).version or RULES_VERSION,
    ]
    for change in changes:
        versions.append(change())
        shop.clock.now_s += LATER_S
        event = purchase("ann", START_MS)
        shop.sink.write(effects(event), AT)
        assert shop.of(event).model_version == versions[-1]
    assert versions[2] == versions[0] != versions[1]


@pytest.mark.parametrize("damage", ["truncated", "altered", "other features", "not a model"])
def test_a_bad_version_is_refused_and_the_old_one_goes_on(shop: Shop, good: dict[str, bytes], damage: str) -> None:
    version = shop.publish(good)
    shop.sink.write(effects(purchase("ann", START_MS)), AT)
    shop.clock.now_s += LATER_S
    others = files_of(FeatureSet(name="x", tracks=(), features=PURCHASES.features[:1]), seed=1)
    bad = shop.publish({"other features": others, "not a model": {scoring.CARD_FILE: b"?"}}.get(damage, files_of(PURCHASES, 3)))
    if damage in ("truncated", "altered"):
        key = f"models/fraud/versions/{bad}/{scoring.TREES_FILE}"
        body = shop.clients.s3.get_object(Bucket=MODELS.of(SETTINGS), Key=key)["Body"].read()
        body = body[:-100] if damage == "truncated" else body[:-100] + bytes(100)
        shop.clients.s3.put_object(Bucket=MODELS.of(SETTINGS), Key=key, Body=body)
    with capture_logs() as said:
        for _ in range(2):
            event = purchase("ann", START_MS)
            shop.sink.write(effects(event), AT)
            assert shop.of(event).model_version == version
            shop.clock.now_s += LATER_S
    (refused,) = [line for line in said if line["event"] == "model refused"]
    assert bad in str(refused)


def test_a_shop_without_registry_decides_by_rules(shop: Shop) -> None:
    shop.clients.s3.delete_bucket(Bucket=MODELS.of(SETTINGS))
    event = purchase("ann", START_MS)
    shop.sink.write(effects(event), AT)
    assert shop.of(event).source is Source.RULES


def test_an_alert_tells_the_decision_once(shop: Shop) -> None:
    event = purchase("ann", START_MS, currency="XXX", amount=77)
    for _ in range(3):
        shop.sink.write(effects(event), AT)
    (alert,) = shop.alerts()
    assert (alert["event_id"], alert["order_id"], alert["verdict"]) == (event.event_id, event.order_id, "review")
    assert alert["reasons"][0] == {"feature": "amount", "value": None, "effect": 0.5}


class Broken(Topic):
    """A topic that is down for the first alerts."""

    def __init__(self, clients: Clients, failures: int) -> None:
        super().__init__(clients.sns, ALERTS.of(SETTINGS))
        self.failures = failures

    def publish(self, *args: Any, **named: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise RetryLater("SNS: down")
        super().publish(*args, **named)


def test_an_alert_that_failed_is_sent_with_the_next_try(shop: Shop) -> None:
    event, other = purchase("ann", START_MS, currency="XXX"), purchase("bob", START_MS)
    sink = shop.open_sink(Broken(shop.clients, failures=1))
    with pytest.raises(RetryLater):
        sink.write(effects(event, other), AT)
    assert shop.of(other).verdict is Verdict.APPROVE, "the others are written"
    first = shop.of(event)
    sink.write(effects(event, other), AT)
    assert [alert["event_id"] for alert in shop.alerts()] == [event.event_id]
    assert repr(shop.of(event)) == repr(first)


def test_a_table_that_does_not_answer_is_told_as_such(clients: Clients) -> None:
    shop = Shop(clients)
    clients.dynamodb.delete_table(TableName=DECISIONS.of(SETTINGS))
    with pytest.raises(RetryLater, match="DynamoDB"):
        shop.sink.write(effects(purchase("ann", START_MS)), AT)


def test_the_wiring_writes_what_the_query_finds(clients: Clients) -> None:
    event = purchase("ann", START_MS, amount=3_000_000)
    fold = APPLICATION.open_fold("shardId-000000000000")
    fold.apply([event])
    APPLICATION.open_sink("shardId-000000000000", clients, SETTINGS).write(fold.effects(flush=True), AT)
    told = CliRunner().invoke(cli, ["query", "decision", event.event_id, "--json"], catch_exceptions=False)
    found = json.loads(told.stdout)
    assert (found["verdict"], found["source"], found["amount"]) == ("review", "rules", 3_000_000)
    assert found["features"]["amount"] == 3_000_000
    assert found["features"]["since_cart_24h"] is None
    told = CliRunner().invoke(cli, ["query", "decision", event.event_id], catch_exceptions=False)
    assert told.stdout.splitlines()[0] == "review  score 0.5000  by rules rules-1"
    assert "amount = 3e+06  (+0.50)" in told.stdout


def test_the_query_says_when_there_is_no_decision(clients: Clients) -> None:
    told = CliRunner().invoke(cli, ["query", "decision", "nowhere"])
    assert told.exit_code == 1
    assert str(told.exception) == "no decision on nowhere"

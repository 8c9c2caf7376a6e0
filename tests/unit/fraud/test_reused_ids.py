"""An event id that comes twice with other content: both purchases are decided, and neither passes for the other."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from clickstream.cli import cli
from clickstream.consumers.fraud import tables
from clickstream.consumers.fraud.decisions import Source
from clickstream.consumers.fraud.needs import DECISIONS, OUTCOMES
from clickstream.consumers.fraud.tables import OutcomesTable
from clickstream.events import Purchase
from clickstream.models.fraud.verdicts import Verdict
from tests.unit.fraud.shop import AT, SETTINGS, Shop, effects
from tests.unit.fraud.shopping import START_MS, purchase

HARMLESS = purchase("ann", START_MS, amount=100)
#: More than anybody may buy unseen, see ``clickstream.consumers.fraud.rules.ABSURD_AMOUNT``.
DEAR = 10**9


def again(**change: Any) -> Purchase:
    return msgspec.structs.replace(HARMLESS, **change)


@pytest.mark.parametrize("change", [{"user_id": "mallory"}, {"order_id": "o-2"}, {"amount": DEAR}, {"currency": "JPY"}])
@pytest.mark.parametrize("shard", ["shardId-000000000000", "shardId-000000000001"])
def test_each_content_is_decided_on_its_own_and_told(shop: Shop, change: dict[str, Any], shard: str) -> None:
    shop.sink.write(effects(HARMLESS), AT)
    first = repr(shop.of(HARMLESS))
    other = again(**change)
    for _ in range(3):  # also after a crash, or on another shard
        shop.open_sink(shard=shard).write(effects(other), AT)
        shop.sink.write(effects(HARMLESS), AT)
        shop.clock.now_s += 3_600
    assert repr(shop.of(HARMLESS)) == first
    (decision,) = shop.decisions.others(HARMLESS.event_id)
    assert (decision.user_id, decision.order_id, decision.amount) == (other.user_id, other.order_id, other.amount)
    assert decision.verdict is Verdict.REVIEW
    # the dear one would have been reviewed anyway
    assert decision.source is (Source.RULES if other.amount == DEAR else Source.SAFEGUARD)
    (told,) = shop.alerts()
    assert (told["user_id"], told["amount"]) == (other.user_id, other.amount)
    assert told["reasons"][-1]["feature"] == "reused_event_id"
    assert [each.user_id for each in shop.decisions.alerts()] == [other.user_id]
    shown = json.loads(CliRunner().invoke(cli, ["query", "decision", HARMLESS.event_id, "--json"]).stdout)
    assert shown["verdict"] == "approve"
    assert [each["user_id"] for each in shown["others"]] == [other.user_id]
    # as `clickstream explain` asks, which knows the event
    assert repr(shop.decisions.on(other.event_id, other)) == repr(decision)
    assert shop.decisions.on(other.event_id, again(user_id="nobody")) is None


def test_both_are_counted_and_each_has_its_label(shop: Shop) -> None:
    other = again(user_id="mallory", amount=DEAR)
    shop.sink.write(effects(HARMLESS, other), AT)
    (minute,) = shop.decisions.minutes(START_MS - START_MS % 60_000, START_MS + 60_000)
    assert sum(minute.counts.values()) == 2
    first, second = shop.of(HARMLESS), shop.decisions.others(HARMLESS.event_id)[0]
    labels = [(first, "genuine"), (second, "takeover")]
    OutcomesTable(shop.clients.dynamodb, OUTCOMES.of(SETTINGS)).label(labels, START_MS, by="file labels.csv")
    known = tables.kinds(shop.clients.dynamodb, OUTCOMES.of(SETTINGS), [first, second])
    assert [known[first.key], known[second.key]] == ["genuine", "takeover"]


def test_the_same_purchase_put_again_is_decided_once(shop: Shop) -> None:
    shop.sink.write(effects(HARMLESS, again(occurred_at=START_MS + 1)), AT)
    assert shop.decisions.others(HARMLESS.event_id) == []


def test_a_flood_under_one_id_is_decided_and_some_of_it_is_named(shop: Shop) -> None:
    flood = [again(user_id=f"mallory-{n}") for n in range(40)]
    shop.sink.write(effects(HARMLESS, *flood), AT)
    found = tables.on(shop.clients.dynamodb, DECISIONS.of(SETTINGS), effects(HARMLESS, *flood)[:41])  # type: ignore[arg-type]
    assert len(found) == 41
    assert len(shop.decisions.others(HARMLESS.event_id)) == 20
    assert len(shop.alerts()) == 40

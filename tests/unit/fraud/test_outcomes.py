"""What the dashboard is told: decisions by minute, alerts, and what the labels say."""

from __future__ import annotations

import json

import msgspec
import pytest
from click.testing import CliRunner

from clickstream.cli import cli
from clickstream.consumers.explain.views import Explainer
from clickstream.consumers.fraud.needs import OUTCOMES
from clickstream.consumers.fraud.outcomes import HOUR_MS, MINUTE_MS
from clickstream.consumers.fraud.tables import OutcomesTable
from clickstream.consumers.fraud.views import Action, DecidedMinute, Review, Truth, Verdict, alert_part, look
from clickstream.errors import Missing, RetryLater, UserMistake
from clickstream.events import Context
from clickstream.models.fraud.labels import GENUINE
from tests.unit.fraud.shop import AT, SETTINGS, Shop, effects
from tests.unit.fraud.shopping import START_MS, purchase

#: The beginning of the minute in which a shop's clock starts.
MINUTE = START_MS // MINUTE_MS * MINUTE_MS


def test_decisions_are_counted_by_minute_and_a_replay_counts_nothing_twice(shop: Shop) -> None:
    first, strange = purchase("ann", START_MS, amount=1_000), purchase("bob", START_MS, amount=700, currency="XXX")
    shop.sink.write(effects(first, strange), AT)
    shop.clock.now_s += 60
    shop.sink.write(effects(first, strange, purchase("eve", START_MS, amount=3_000_000, currency="USD")), AT)
    assert shop.decisions.minutes(MINUTE, MINUTE + HOUR_MS) == [
        DecidedMinute(
            start_ms=MINUTE,
            counts={Verdict.APPROVE: 1, Verdict.REVIEW: 1, Verdict.BLOCK: 0},
            money={Verdict.APPROVE: 1_000, Verdict.REVIEW: 0, Verdict.BLOCK: 0},
            versions={"rules-1": 2},
        ),
        DecidedMinute(
            start_ms=MINUTE + MINUTE_MS,
            counts={Verdict.APPROVE: 0, Verdict.REVIEW: 1, Verdict.BLOCK: 0},
            money={Verdict.APPROVE: 0, Verdict.REVIEW: 2_760_000, Verdict.BLOCK: 0},
            versions={"rules-1": 1},
        ),
    ]


def test_a_minute_is_read_until_it_is_settled_and_labels_come_late(shop: Shop) -> None:
    def asked() -> list[int]:
        return [sum(minute.counts.values()) for minute in shop.decisions.minutes(MINUTE, MINUTE + 3 * HOUR_MS)]

    event = purchase("ann", START_MS)
    assert asked() == []
    shop.sink.write(effects(event), AT)
    assert asked() == [1]
    shop.clock.now_s += 2 * HOUR_MS / 1000
    shop.sink.write(effects(purchase("bob", START_MS)), AT)
    assert asked() == [1, 1]
    OutcomesTable(shop.clients.dynamodb, OUTCOMES.of(SETTINGS)).label([(shop.of(event), GENUINE)], START_MS, by="a file")
    shop.clock.now_s += 31
    assert [minute.truth.labelled for minute in shop.decisions.minutes(MINUTE, MINUTE + 3 * HOUR_MS)] == [1, 0]


def test_labels_show_after_the_same_time_when_the_wall_clock_was_set_back(shop: Shop) -> None:
    event = purchase("ann", START_MS)
    shop.sink.write(effects(event), AT)
    shop.clock.now_s += 2 * HOUR_MS / 1000
    assert [minute.truth.labelled for minute in shop.decisions.minutes(MINUTE, MINUTE + MINUTE_MS)] == [0]
    OutcomesTable(shop.clients.dynamodb, OUTCOMES.of(SETTINGS)).label([(shop.of(event), GENUINE)], START_MS, by="a file")
    shop.clock.now_s -= HOUR_MS / 1000
    shop.set_back_s += HOUR_MS / 1000 + 31
    assert [minute.truth.labelled for minute in shop.decisions.minutes(MINUTE, MINUTE + MINUTE_MS)] == [1]


def test_labels_tell_precision_recall_and_money(shop: Shop) -> None:
    caught, missed, alarm, fine, unknown = (
        purchase("ann", START_MS, amount=2_100_000, card="ann", context=Context(device="ann")),
        purchase("bob", START_MS, amount=50_000, card="bob", context=Context(device="bob")),
        purchase("eve", START_MS, amount=2_200_000, card="eve", context=Context(device="eve")),
        purchase("kim", START_MS, card="kim", context=Context(device="kim")),
        purchase("joe", START_MS, amount=2_500_000, card="joe", context=Context(device="joe")),
    )
    shop.sink.write(effects(caught, missed, alarm, fine, unknown), AT)
    table = OutcomesTable(shop.clients.dynamodb, OUTCOMES.of(SETTINGS))
    table.label(
        [(shop.of(caught), "takeover"), (shop.of(missed), "insider"), (shop.of(alarm), "takeover"), (shop.of(fine), GENUINE)],
        START_MS,
        by="file labels.csv",
    )
    table.label([(shop.of(alarm), GENUINE)], START_MS, by="a file")  # the first verdict of the bank was withdrawn
    (minute,) = shop.decisions.minutes(MINUTE, MINUTE + MINUTE_MS)
    assert minute.truth == Truth(labelled=4, frauds=2, caught=1, alarms=2, money=2_150_000, money_caught=2_100_000)
    assert (minute.truth.precision, minute.truth.recall) == (0.5, 0.5)
    assert minute.counts[Verdict.REVIEW] == 3


def test_alerts_come_with_their_reasons_the_latest_first(shop: Shop) -> None:
    events = []
    for hour in range(3):
        for n in range(2):
            events.append(purchase("ann", START_MS + hour, currency="XXX", amount=10 * hour + n))
            shop.sink.write(effects(events[-1], purchase("bob", START_MS)), AT)
            shop.clock.now_s += HOUR_MS / 2000
    latest = [event.event_id for event in reversed(events)]
    assert [alert.event_id for alert in shop.decisions.alerts()] == latest
    # read three at a time, and from the middle on
    assert [alert.event_id for alert in shop.decisions.alerts(most=3)] == latest
    third = alert_part(list(shop.decisions.alerts())[2])
    assert [alert.event_id for alert in shop.decisions.alerts(before=third)] == latest[3:]
    for bad in ("nothing", "²" * 14, "1" * 14 + "#" + "x" * 1_024):
        with pytest.raises(UserMistake):
            list(shop.decisions.alerts(before=bad))
    # the next page of a stretch that has moved on meanwhile
    assert list(shop.decisions.alerts(within_ms=HOUR_MS, before=f"{int(shop.clock.now_s * 1000) - HOUR_MS - 1:014d}#e")) == []
    assert [alert.event_id for alert in shop.decisions.alerts(within_ms=HOUR_MS)] == latest[:2]
    assert next(shop.decisions.alerts()).reasons[0].feature == "amount"


def test_a_purchase_is_found_by_its_order_and_what_people_did_stays_beside_it(shop: Shop) -> None:
    event, other = purchase("ann", START_MS, amount=2_100_000), purchase("bob", START_MS)
    shop.sink.write(effects(event, other), AT)
    assert [each.event_id for each in shop.decisions.of_order(event.order_id, most=9)] == [event.event_id]
    assert shop.decisions.of_order("no such order", most=9) == []
    # /explain finds it by its order though nobody places orders
    explainer = Explainer(shop.clients, SETTINGS)
    found = [explainer.placing(order_id) for order_id in (event.order_id, "no such order")]
    assert found == [(event.event_id, event.user_id), None]
    assert shop.decisions.note("no such event", Action.APPROVE, "eve") is None
    decision = shop.of(event)
    assert repr(shop.decisions.note(event.event_id, Action.APPROVE, "eve")) == repr(decision)
    shop.clock.now_s += 3 * 24 * 3600
    shop.decisions.note(event.event_id, Action.FRAUD, "kim")
    shop.sink.write(effects(event, other), AT)  # a replay takes nothing back
    assert shop.decisions.reviews([decision, shop.of(other)]) == {
        event.event_id: [
            Review(action=Action.APPROVE, by="eve", at=START_MS),
            Review(action=Action.FRAUD, by="kim", at=START_MS + 3 * 24 * HOUR_MS),
        ]
    }
    assert dict(shop.decisions.known(MINUTE, MINUTE + HOUR_MS)) == {event.event_id: "fraud"}
    assert {each.event_id for each in shop.decisions.recent(most=10, within_ms=4 * 24 * HOUR_MS)} == {
        event.event_id,
        other.event_id,
    }


def test_two_people_in_one_millisecond_are_both_noted_and_the_label_is_the_laters(shop: Shop) -> None:
    event = purchase("ann", START_MS)
    shop.sink.write(effects(event), AT)
    decision = shop.of(event)
    OutcomesTable(shop.clients.dynamodb, OUTCOMES.of(SETTINGS)).label([(decision, "takeover")], START_MS - 1, by="file a.csv")
    shop.decisions.note(event.event_id, Action.FRAUD, "eve")
    shop.decisions.note(event.event_id, Action.GENUINE, "kim")
    assert shop.decisions.reviews([decision])[decision.key] == [
        Review(action=Action.FRAUD, by="file a.csv", at=START_MS - 1),
        Review(action=Action.FRAUD, by="eve", at=START_MS),
        Review(action=Action.GENUINE, by="kim", at=START_MS + 1),
    ]
    assert dict(shop.decisions.known(MINUTE, MINUTE + HOUR_MS)) == {event.event_id: GENUINE}
    # who cannot be noted whole is not noted at all
    OutcomesTable(shop.clients.dynamodb, OUTCOMES.of(SETTINGS)).label([(decision, GENUINE)], START_MS + HOUR_MS, by="a file")
    with pytest.raises(RetryLater):
        shop.decisions.note(event.event_id, Action.FRAUD, "joe")
    assert "joe" not in str(shop.decisions.reviews([decision]))


def test_what_people_did_and_the_order_last_as_long_as_the_decision(shop: Shop) -> None:
    event = purchase("ann", START_MS)
    shop.sink.write(effects(event), AT)
    shop.decisions.note(event.event_id, Action.APPROVE, "eve")
    kept = {
        item["window"]["S"].partition("#")[0]: int(item["expires_at"]["N"])
        for item in shop.clients.dynamodb.scan(TableName=OUTCOMES.of(SETTINGS))["Items"]
    }
    assert kept["reviews"] == kept["order"] == START_MS // 1000 + 400 * 86_400


def test_nobody_hides_an_order_behind_an_event_id_and_many_purchases_of_one_are_bounded(shop: Shop) -> None:
    victim = purchase("ann", START_MS)
    hiding = msgspec.structs.replace(purchase("eve", START_MS), event_id=victim.order_id, order_id="another")
    shop.sink.write(effects(victim, hiding), AT)
    shop.decisions.note(victim.event_id, Action.BLOCK, "kim")
    found, more = shop.decisions.find(victim.order_id)
    assert [(by, each.event_id) for by, each in found] == [("event", hiding.event_id), ("order", victim.event_id)]
    assert not more
    told = CliRunner().invoke(cli, ["query", "decision", victim.order_id, "--json"], catch_exceptions=False)
    (other,) = json.loads(told.stdout)["others"]
    assert (other["matched"], [each["by"] for each in other["reviews"]]) == ("order", ["kim"])
    effect = look(shop.clients, SETTINGS, victim, None)  # type: ignore[arg-type]  # which put is all the same
    assert effect is not None
    assert effect.facts["reviews"] == ["block by kim"]
    flood = [msgspec.structs.replace(purchase(f"eve-{n}", START_MS), order_id=victim.order_id) for n in range(30)]
    shop.sink.write(effects(*flood), AT)
    found, more = shop.decisions.find(victim.order_id)
    assert (len(found), more) == (21, True)


def test_the_model_in_use_is_the_pointers(shop: Shop, good: dict[str, bytes]) -> None:
    assert shop.decisions.serving() is None
    version = shop.publish(good)
    serving = shop.decisions.serving()
    assert serving is not None
    assert (serving.version, serving.promoted_at) == (version, START_MS)


def test_a_missing_table_is_told_by_its_name(shop: Shop) -> None:
    shop.clients.dynamodb.delete_table(TableName=OUTCOMES.of(SETTINGS))
    with pytest.raises(Missing, match=OUTCOMES.of(SETTINGS)):
        list(shop.decisions.alerts())

"""One document: the event, or all the reasons at once."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from clickstream.events import PageView, Purchase
from clickstream.producers.collector.answers import EventAnswer, Problem
from clickstream.producers.collector.reception import MOST_TOLD, receive
from clickstream.producers.door import Entered
from tests.unit.collector.conftest import NOW, event, purchase


def received(fields: object) -> Any:
    return receive(json.dumps(fields).encode(), lambda: "new", NOW)


def refused(fields: object) -> dict[str, str]:
    refusal = received(fields)
    assert isinstance(refusal, EventAnswer)
    return {problem.path: problem.reason for problem in refusal.errors}


def test_an_event_keeps_its_id_and_gets_one_where_it_has_none() -> None:
    kept = PageView(event_id="e-1", user_id="u-1", session_id="s-1", occurred_at=NOW)
    assert received(event()) == Entered(kept, json.dumps(event()).encode(), {}, ())
    for without in ({}, {"event_id": None}, {"event_id": ""}):
        fields = {name: value for name, value in event().items() if name != "event_id"} | without
        entered = received(fields)
        assert entered == Entered(msgspec.structs.replace(kept, event_id="new"), entered.data, {"event_id": "new"}, ())


def test_an_event_without_a_time_occurred_now() -> None:
    for without in ({}, {"occurred_at": None}):
        fields = {name: value for name, value in event().items() if name != "occurred_at"} | without
        entered = received(fields)
        assert (entered.event.occurred_at, entered.assigned) == (NOW, {"occurred_at": NOW})
    for wrong, reason in (
        (NOW // 1000, "milliseconds?"),
        (NOW * 1000, "milliseconds?"),
        ("", "whole number"),
        (0, "milliseconds?"),
    ):
        assert reason in refused(event(occurred_at=wrong))["$.occurred_at"]


def test_what_no_type_declares_is_named_and_the_rest_taken() -> None:
    items = [{"product_id": "p", "colour": "red"}, {"product_id": "q", "colour": "blue", "price": 5}]
    entered = received(purchase(items=items, campaign=None, context={"country": "DE", "city": "x"}, **{"\x1b": 1}))
    assert entered.not_kept == ("$.items[].colour", "$.campaign", "$.context.city", "$.\\u001b")
    assert [item.product_id for item in entered.event.items] == ["p", "q"]
    many = received(event(**{f"{n:02}{'n' * 100}": 1 for n in range(99)})).not_kept
    assert (len(many), many[0]) == (MOST_TOLD, f"$.00{'n' * 61}…")


def test_what_an_old_version_called_otherwise_is_kept() -> None:
    assert received(event(type="product_view", sku="p", schema_version=1)).not_kept == ()
    assert received(event(type="product_view", product_id="p", sku="p")).not_kept == ("$.sku",)


def test_an_event_of_an_old_version_is_brought_to_the_latest() -> None:
    old = purchase(schema_version=1, items=[{"sku": "p-9", "price": "1.50"}], amount="1.50")
    bought = received(old).event
    assert isinstance(bought, Purchase)
    assert (bought.amount, bought.items[0].product_id, bought.items[0].price, bought.schema_version) == (150, "p-9", 150, 2)


def test_all_problems_at_once_with_their_paths() -> None:
    wrong = purchase(amount=-1, currency="euro", user_id="", context={"ip": 5}, items=[{"product_id": "p"}, {"price": "1"}, 7])
    del wrong["order_id"]
    assert set(refused(wrong)) == {
        "$.user_id",
        "$.context.ip",
        "$.order_id",
        "$.items[1].product_id",
        "$.items[1].price",
        "$.items[2]",
        "$.amount",
        "$.currency",
    }


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "$"),
        ([], "$"),
        (5, "$"),
        (event(type="nonsense"), "$.type"),
        (event(type=5), "$.type"),
        (event(schema_version=99), "$.schema_version"),
        (purchase(items=[]), "$.items"),
        (purchase(schema_version=1, amount=12), "$.amount"),
        (event(redriven_for="analytics"), "$.redriven_for"),
    ],
)
def test_where_it_is_wrong(fields: object, path: str) -> None:
    assert path in refused(fields)


def test_a_refusal_names_the_event_as_far_as_it_can() -> None:
    assert received(event(user_id=5)).event_id == "e-1"
    assert received(event(event_id=5)).event_id is None
    assert received(event(user_id=5, event_id=None)).event_id is None, "an id that the sender never sent"
    assert receive(b"{", lambda: "new", NOW) == EventAnswer(
        None, "rejected", (Problem("$", "not JSON: Input data was truncated"),)
    )


def test_the_reasons_are_bounded() -> None:
    assert len(received(purchase(items=[{}] * 400)).errors) == MOST_TOLD

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from clickstream.cli import cli
from clickstream.errors import UserMistake
from clickstream.events import EARLIEST_MS
from clickstream.schemas import published as schema

Fields = dict[str, Any]


def _search(types: Fields) -> Fields:
    properties: Fields = types["Search"]["properties"]
    return properties


def _set(field: str, **keywords: object) -> Callable[[Fields], None]:
    return lambda types: _search(types)[field].update(keywords)


def _drop(field: str, keyword: str) -> Callable[[Fields], None]:
    return lambda types: _search(types)[field].pop(keyword)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: None, []),
        (lambda types: _search(types).update(page={"type": "integer", "default": 1}), []),
        (lambda types: types.update(Refund={"properties": {}}), []),
        (_set("query", maxLength=4096), []),
        (_drop("query", "maxLength"), []),
        (_set("occurred_at", minimum=-1), []),
        (_set("context", default={}), []),
        (lambda types: types.pop("Search"), ["Search was removed"]),
        (lambda types: _search(types).pop("query"), ["Search.query was removed"]),
        (_set("query", type="integer"), ["Search.query changed its type"]),
        (_set("query", maxLength=10), ["Search.query has a tighter maxLength"]),
        (_set("query", minLength=1), ["Search.query has a tighter minLength"]),
        (_set("query", pattern="^a"), ["Search.query changed its type"]),
        (_set("occurred_at", maximum=5), ["Search.occurred_at has a tighter maximum"]),
        (_set("occurred_at", minimum=EARLIEST_MS + 5), ["Search.occurred_at has a tighter minimum"]),
        (lambda types: types["Search"]["required"].append("context"), ["Search.context is newly required"]),
        (
            lambda types: types["Purchase"]["properties"]["items"].update(minItems=2),
            ["Purchase.items has a tighter minItems"],
        ),
    ],
)
def test_only_what_would_refuse_an_older_producers_event_is_breaking(
    change: Callable[[Fields], None], expected: list[str]
) -> None:
    old = schema.generate()
    new = copy.deepcopy(old)
    change(new["$defs"])
    assert schema.breaking_changes(old, new) == expected


def test_the_checked_in_schema_is_the_codes() -> None:
    assert schema.checked_in() == schema.rendered(schema.generate())


def test_show_prints_the_schema_alone() -> None:
    shown = CliRunner().invoke(cli, ["schema", "show"])
    assert shown.exit_code == 0
    assert msgspec.json.decode(shown.stdout) == schema.generate()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda _: "", "no schema file for version 2"),
        (lambda text: text.replace('"maxLength": 2048', '"maxLength": 4096'), "breaking: Context.referrer"),
        (lambda text: text.replace('"maxLength": 2048', '"maxLength": 1024'), "behind the code"),
    ],
)
def test_check_names_the_difference(edit: Callable[[str], str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    edited = edit(schema.checked_in())
    monkeypatch.setattr(schema, "checked_in", lambda: edited)
    with pytest.raises(UserMistake, match=message) as caught:
        cli.main(["schema", "check"], standalone_mode=False)
    assert caught.value.hint


def test_the_narrowing_of_ids_and_times_was_accepted_with_its_reason_and_no_other_is() -> None:
    new = schema.generate()
    old = copy.deepcopy(new)
    for types in old["$defs"].values():
        for field in types["properties"].values():
            field.pop("pattern", None) if field.get("maxLength") == 256 else None
            field.pop("description", None)
            if field.get("minimum") == EARLIEST_MS:
                field["minimum"] = 0
    assert old != new
    assert schema.breaking_changes(old, new) == []
    assert all(len(reason) > 20 for reason in schema.TIGHTENED.values())
    _search(new["$defs"])["query"]["pattern"] = "^a"
    _search(new["$defs"])["occurred_at"]["minimum"] = EARLIEST_MS + 1
    assert schema.breaking_changes(old, new) == [
        "Search.occurred_at has a tighter minimum",
        "Search.query changed its type",
    ]

"""What a shop declares is decoded, brought to its latest version, and refused with its place where it cannot be kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clickstream import envelope, events
from clickstream.errors import InvalidEvent, UserMistake
from tests.unit.own_events.shop import CAMPAIGN, ENVELOPE, WISH, declare, event, events_with

NUL = "\u0000"


def test_with_nothing_declared_there_are_the_seven() -> None:
    assert events.EVENT_TYPES == envelope.BUILT_IN
    assert (events.OWN_TYPES, events.ADDED, events.DECLARED) == ((), {}, {})


def test_an_own_type_is_one_of_all(tmp_path: Path) -> None:
    own = events_with(declare(tmp_path, wish_v1=WISH))
    wish = own.decode(event("wish", product_id="p-1", size="m", at={"shelf": 3}, other="dropped"))
    assert (*envelope.BUILT_IN, type(wish)) == own.EVENT_TYPES
    assert (type(wish),) == own.OWN_TYPES
    assert (wish.type, wish.type_version, wish.note, wish.gift, wish.others) == ("wish", 1, "", None, ())
    assert (wish.product_id, wish.size, wish.at.shelf) == ("p-1", "m", 3)
    assert own.decode(own.encode(wish)) == wish
    assert own.decode_lines(own.encode(wish) + b"\n" + own.encode(envelope.Login(**ENVELOPE))) == [
        wish,
        envelope.Login(**ENVELOPE),
    ]


def test_an_added_property_is_kept_and_the_event_is_still_a_page_view(tmp_path: Path) -> None:
    own = events_with(declare(tmp_path, page_view_v1=CAMPAIGN))
    seen = own.decode(event("page_view", url="/", campaign="spring"))
    assert issubclass(type(seen), envelope.PageView)
    assert (seen.type, seen.url, seen.campaign) == ("page_view", "/", "spring")
    assert {envelope.PageView: type(seen)} == own.ADDED
    assert own.decode(event("page_view", url="/")).campaign == ""
    assert b'"campaign":"spring"' in own.encode(seen)
    assert own.as_decoded({envelope.PageView: 1, envelope.Login: 2}) == {
        envelope.PageView: 1,
        type(seen): 1,
        envelope.Login: 2,
    }


def test_an_older_version_is_brought_to_the_latest(tmp_path: Path) -> None:
    older = {"properties": {"product": {"type": "string"}, "note": {"type": "string"}}}
    newer = {
        "properties": {
            "note": {"type": "string"},
            "rank": {"type": "integer", "default": 1},
            "list": {"type": "string"},
        },
        "required": ["rank"],
    }
    own = events_with(declare(tmp_path, wish_v1=older, wish_v2=newer))
    for said in ({}, {"type_version": 1}):
        # what version 1 did not declare is not believed
        wish = own.decode(event("wish", note="n", rank="first", list="mine", **said))
        assert (wish.type_version, wish.note, wish.rank, wish.list) == (2, "n", 1, own.msgspec.UNSET)
    latest = own.decode(event("wish", type_version=2, rank=5, list="mine"))
    assert (latest.rank, latest.list) == (5, "mine")
    assert own.decode(own.encode(latest)) == latest
    for version in (0, 3, True, "1", 2**70, None):
        with pytest.raises(InvalidEvent) as caught:
            own.decode(event("wish", type_version=version, rank=1))
        assert caught.value.path == "$.type_version"


def test_a_name_that_went_and_came_back_means_something_else(tmp_path: Path) -> None:
    text, number = {"properties": {"rank": {"type": "string"}}}, {"properties": {"rank": {"type": "integer", "default": 1}}}
    own = events_with(declare(tmp_path, wish_v1=text, wish_v2={}, wish_v3=number))
    assert own.decode(event("wish", rank="first")).rank == 1


def test_the_platforms_first_version_knew_no_types_but_the_seven(tmp_path: Path) -> None:
    own = events_with(declare(tmp_path, wish_v1={"properties": {"sku": {"type": "string"}}}))
    assert own.decode(event("wish", schema_version=1, sku="s-1")).sku == "s-1"
    assert own.decode(event("product_view", schema_version=1, sku="s-1")).product_id == "s-1"


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({}, "$", "missing required field `product_id`"),
        ({"product_id": "p", "size": "xl"}, "$.size", "not one of the values that are known here"),
        ({"product_id": ""}, "$.product_id", "length >= 1"),
        ({"product_id": "ö" * 257}, "$.product_id", "length <= 256"),
        ({"product_id": "漢" * 200}, "$.product_id", "600 bytes of UTF-8; an id has at most 512"),
        ({"product_id": f"p{NUL}"}, "$.product_id", "a control character in an id"),
        ({"product_id": "p", "others": ["q", f"r{NUL}"]}, "$.others[1]", "a control character in an id"),
        ({"product_id": "p", "at": {"shelf": 1, "maker_id": "\u007f"}}, "$.at.maker_id", "a control character in an id"),
        ({"product_id": "p", "note": "n" * 21}, "$.note", "length <= 20"),
        ({"product_id": "p", "at": {"shelf": 0}}, "$.at.shelf", ">= 1"),
        ({"product_id": "p", "at": []}, "$.at", "Expected `object`"),
        ({"product_id": "p", "gift": "yes"}, "$.gift", "Expected `bool | null`"),
    ],
)
def test_ids_and_bounds_of_an_own_type_are_kept(tmp_path: Path, fields: dict[str, Any], path: str, reason: str) -> None:
    own = events_with(declare(tmp_path, wish_v1=WISH))
    with pytest.raises(InvalidEvent) as caught:
        own.decode(event("wish", **fields))
    assert caught.value.path == path
    assert reason in caught.value.reason
    assert own.decode_lines(event("wish", **fields)) is None


def test_a_control_character_is_no_fault_in_what_is_no_id(tmp_path: Path) -> None:
    own = events_with(declare(tmp_path, wish_v1={"properties": {"product_id": {"type": "string"}}}))
    assert own.decode(event("wish", product_id=NUL)).product_id == NUL


def test_an_event_of_an_own_type_has_its_bound_of_bytes(tmp_path: Path) -> None:
    own = events_with(
        declare(tmp_path, wish_v1={"properties": {"tags": {"additionalProperties": {"type": "string"}, "type": "object"}}})
    )
    with pytest.raises(InvalidEvent, match="the most is 100,000"):
        own.decode(event("wish", tags={"a": "x" * 100_000}))


def test_an_unknown_type_is_refused_with_the_names_that_are_known(tmp_path: Path) -> None:
    own = events_with(declare(tmp_path, wish_v1=WISH))
    with pytest.raises(InvalidEvent) as caught:
        own.decode(event("wihs", product_id="p"))
    assert caught.value.path == "$.type"
    assert caught.value.reason.endswith(
        ": page_view, product_view, search, add_to_cart, remove_from_cart, purchase, login, wish"
    )


@pytest.mark.parametrize(
    ("name", "schema", "message"),
    [
        ("wish_v1", "{", "Input data was truncated"),
        ("wish_v1", "[]", "no JSON Schema"),
        ("wish_v1", {"oneOf": []}, "not mapped: oneOf"),
        ("wish_v1", {"additionalProperties": False}, "not mapped: additionalProperties"),
        ("wish_v1", {"properties": {"a": {"$ref": "#/x"}}}, r"\$\.a: no type that is mapped"),
        ("wish_v1", {"properties": {"a": {"type": "string", "format": "date-time"}}}, r"\$\.a: the format 'date-time'"),
        ("wish_v1", {"properties": {"a": {"type": "string", "format": "id", "maxLength": 5}}}, "without bounds|format 'id'"),
        ("wish_v1", {"properties": {"a": {"type": "string", "minimum": 5}}}, r"\$\.a: not mapped: minimum"),
        ("wish_v1", {"properties": {"a": {"type": "array"}}}, r"\$\.a: an array without items"),
        ("wish_v1", {"properties": {"a": {"type": "array", "items": {"not": {}}}}}, r"\$\.a\[\]: no type"),
        ("wish_v1", {"properties": {"a": {"type": "object", "properties": {}, "additionalProperties": False}}}, "beside"),
        ("wish_v1", {"properties": {"a": {"type": ["string", "integer"]}}}, r"\$\.a: several types"),
        ("wish_v1", {"properties": {"a": {"type": "string", "pattern": "("}}}, r"\$\.a: .*subpattern"),
        ("wish_v1", {"properties": {"a": {"type": "integer", "minimum": 0.5}}}, r"\$\.a: "),
        ("wish_v1", {"properties": {"a": {"type": "integer", "maximum": 2**70}}}, r"\$\.a: "),
        ("wish_v1", {"properties": {"a": {"enum": [1.5]}}}, r"\$\.a: not mapped: enum and const"),
        ("wish_v1", {"properties": {"a": {"enum": []}}}, r"\$\.a: not mapped: enum and const"),
        ("wish_v1", {"properties": {"a": {"type": "integer", "default": "1"}}}, r"\$\.a: the default"),
        ("wish_v1", {"properties": {"a": {"type": "string", "format": "id", "default": NUL}}}, "control character"),
        ("wish_v1", {"properties": {"a": {"type": "string", "default": "x" * 501}}}, "more than 500 bytes"),
        (
            "wish_v1",
            {
                "properties": {
                    "a": {"type": "array", "items": {"properties": {"b": {"enum": [1], "default": 1}}, "type": "object"}}
                }
            },
            r"\$\.a\[\]\.b: a default within",
        ),
        ("wish_v1", {"properties": {"a": {"type": "number", "multipleOf": 0.01}}}, "whole number"),
        ("wish_v1", {"properties": {"ab": {"type": "string"}, "aB": {"type": "string"}}}, "only by capitals"),
        ("wish_v1", {"properties": {"User_id": {"type": "string"}}}, "has its own User_id"),
        ("wish_v1", {"properties": {"a": {"enum": ["x"], "const": "x"}}}, "const beside enum"),
        ("wish_v1", {"properties": {"a": {"type": "string", "enum": ["x", 1]}}}, "not of its type"),
        (
            "wish_v1",
            {"properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}, "required": ["b"]}}},
            "beside properties or required",
        ),
        ("wish_v1", {"required": [{}]}, "no type of events: TypeError"),
        ("wish_v1", {"properties": {"a": {"type": "string", "minLength": "x"}}}, r"\$\.a: "),
        ("wish_v1", {"description": "x" * 32_000}, "more than 32,000 bytes"),
        ("page_view_v2", {}, "page_view begins with version 1"),
        ("wish_v1", {"properties": {"a": 5}}, r"\$\.a: no JSON Schema"),
        ("wish_v1", {"properties": {"class": {"type": "string"}}}, r"\$\.class: no name for a property"),
        ("wish_v1", {"properties": {"_a": {"type": "string"}}}, r"\$\._a: no name for a property"),
        ("wish_v1", {"properties": {"user_id": {"type": "string"}}}, "has its own user_id"),
        ("wish_v1", {"properties": {"type_version": {"type": "integer"}}}, "has its own type_version"),
        ("wish_v1", {"required": ["a"]}, "required, but no property: a"),
        ("page_view_v1", {"properties": {"url": {"type": "string"}}}, "has its own url"),
        ("page_view_v1", {"properties": {"a": {"type": "string"}}, "required": ["a"]}, "cannot be required: a"),
        ("Wish_v1", {}, "not named TYPE.vN.json"),
        ("wish_v01", {}, "not named TYPE.vN.json"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(tmp_path: Path, name: str, schema: object, message: str) -> None:
    with pytest.raises(UserMistake, match=message) as caught:
        events_with(declare(tmp_path, **{name: schema}))
    assert "\n" not in str(caught.value)


def test_every_version_must_be_there_and_the_folder_too(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="wish has version 3, but not every one before it"):
        events_with(declare(tmp_path, wish_v1={}, wish_v3={}))
    with pytest.raises(UserMistake, match="no folder"):
        events_with(tmp_path / "none")
    assert events_with("").DECLARED == {}


PACKAGE = """
from typing import Literal
import msgspec
from clickstream.envelope import Event, Key, PageView

class Line(msgspec.Struct, frozen=True):
    product_id: Key

class Wish(Event, frozen=True, kw_only=True, gc=False, tag="wish"):
    product_id: Key
    lines: tuple[Line, ...] = ()
    maker_id: Key | None = None
    type_version: Literal[2]

    @classmethod
    def upcast(cls, fields, version):
        return {**fields, "product_id": fields["product"]}

class Seen(PageView, frozen=True, kw_only=True, gc=False, tag="page_view"):
    campaign: str = ""
"""


ADDED = "class Other(PageView, frozen=True, kw_only=True, tag='page_view'): "
OWN = "class Other(Event, frozen=True, kw_only=True, tag='other'): "


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a package on the path, with its entry point."""

    def put(name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        about = tmp_path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[clickstream.events]\n{name} = {name}\n")
        monkeypatch.delitem(sys.modules, name, raising=False)

    monkeypatch.syspath_prepend(str(tmp_path))
    return put


def test_keys_that_are_no_text_and_a_set_of_ids_are_as_good_in_parsed_json(install: Any) -> None:
    install("a_shop", PACKAGE + OWN + "counts: dict[int, int] = {}; ids: frozenset[Key] = frozenset()\nEVENTS = (Other,)")
    own = events_with("")
    assert own.from_builtins(own.parse(event("other", counts={"1": 2}))).counts == {1: 2}
    with pytest.raises(InvalidEvent, match="a control character in an id"):
        own.decode(event("other", ids=[NUL]))


def test_structs_of_a_package_are_types_like_any_other(install: Any) -> None:
    install("a_shop", PACKAGE + "\nEVENTS = (Wish, Seen)\n")
    own = events_with("")
    wish = own.decode(event("wish", type_version=2, product_id="p", lines=[{"product_id": "q"}]))
    assert (type(wish).__name__, wish.type, wish.lines[0].product_id) == ("Wish", "wish", "q")
    assert own.decode(event("wish", product="p")) == own.decode(event("wish", type_version=2, product_id="p"))
    assert own.decode(event("page_view", campaign="spring")).campaign == "spring"
    with pytest.raises(InvalidEvent, match="cannot be brought from version 1 to 2: KeyError"):
        own.decode(event("wish"))
    for fields in ({"lines": [{"product_id": NUL}]}, {"maker_id": NUL}):
        with pytest.raises(InvalidEvent, match="a control character in an id"):
            own.decode(event("wish", type_version=2, product_id="p", **fields))


AT_THE_DOOR = """
from clickstream.producers.collector.reception import receive
from tests.unit.own_events.shop import event
print(receive(event("other", a=5), str, 1_764_000_000_001).errors)
"""


def test_a_struct_that_refuses_itself_is_refused_at_the_door(install: Any, tmp_path: Path) -> None:
    refuses = "\n    a: int\n    def __post_init__(self):\n        raise ValueError('too many')\n"
    install("a_shop", PACKAGE + OWN + refuses + "EVENTS = (Other,)")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"}
    said = subprocess.run([sys.executable, "-c", AT_THE_DOOR], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == "(Problem(path='$', reason='too many'),)\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import nowhere", "cannot load the events of a_shop: ModuleNotFoundError"),
        ("", "cannot load the events of a_shop: AttributeError"),
        ("EVENTS = (int,)", "int is no type of events"),
        (PACKAGE + "class Other(Event, frozen=True): pass\nEVENTS = (Other,)", "Other is no type of events"),
        (PACKAGE + "class Other(Event, frozen=True, tag='login'): pass\nEVENTS = (Other,)", "Other is no type of events"),
        (PACKAGE + "class Other(Event, frozen=False, tag='other'): pass\nEVENTS = (Other,)", "Other is no type of events"),
        (PACKAGE + "del Wish.upcast\nEVENTS = (Wish,)", "version 2 and no upcast"),
        (PACKAGE.replace("Literal[2]", "Literal[2] = 2") + "EVENTS = (Wish,)", "type_version has a default"),
        ("import decimal\n" + PACKAGE + OWN + "a: decimal.Decimal\nEVENTS = (Other,)", "has a Decimal"),
        (PACKAGE + OWN + "User_id: str = ''\nEVENTS = (Other,)", "differ only by capitals"),
        (PACKAGE + "EVENTS = (Wish, Wish)", "wish is declared twice"),
        (PACKAGE + ADDED + "a: str\nEVENTS = (Other,)", "cannot be required: a"),
        (PACKAGE + OWN + "user_id: str = ''\nEVENTS = (Other,)", "Other changes the fields of Event"),
        (PACKAGE + OWN + "a: int | float | complex\nEVENTS = (Other,)", "cannot be decoded"),
    ],
)
def test_a_package_that_declares_no_events_is_named(install: Any, source: str, message: str) -> None:
    install("a_shop", source)
    with pytest.raises(UserMistake, match=message):
        events_with("")


FOLDER = """
from importlib.resources import files
EVENTS = files("a_shops_events")
"""


def test_an_installed_folder_is_one_like_that_of_the_variable(install: Any, tmp_path: Path) -> None:
    folder = declare(tmp_path / "a_shops_events", wish_v1=WISH, page_view_v1=CAMPAIGN)
    (folder / "__init__.py").touch()
    install("a_shop", FOLDER)
    for named in ("", folder, declare(tmp_path / "copied", wish_v1=WISH)):
        own = events_with(named)
        assert own.decode(event("wish", product_id="p")).product_id == "p"
        assert own.decode(event("page_view", campaign="spring")).campaign == "spring"
    with pytest.raises(UserMistake, match=r"wish is declared twice: .*other and .*a_shops_events"):
        events_with(declare(tmp_path / "other", wish_v1=CAMPAIGN))
    install("another", PACKAGE + "\nEVENTS = (Wish,)\n")
    with pytest.raises(UserMistake, match=r"wish is declared twice: .*a_shops_events and another: Wish"):
        events_with("")


def test_an_installed_folder_that_is_not_there_is_named_with_its_package(install: Any, tmp_path: Path) -> None:
    install("a_shop", "from pathlib import Path\nEVENTS = Path(__file__).parent / 'away'\n")
    with pytest.raises(UserMistake, match=f"a_shop: no folder {tmp_path / 'away'}"):
        events_with("")

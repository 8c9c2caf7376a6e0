"""Any declared schema: its events survive the wire, all paths of decoding agree, and hostile input is refused in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.errors import Rejected
from tests.property.http.json_schemas import ANYTHING
from tests.unit.own_events.shop import CAMPAIGN, ENVELOPE, WISH, declare, events_with

SECRET = "4111-1111"
ROOT = Path(__file__).parents[3]
_names = st.sampled_from(("a", "b", "c", "list", "sku", "context_id", "Name9"))
_texts = st.text(st.characters(codec="utf-8"), max_size=12)
_INT64 = st.integers(-(2**63), 2**63 - 1)


def _bounded(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most)).map(lambda pair: (min(pair), max(pair)))


#: (schema, strategy of its values), made together: the oracle never reads a schema.
Made = tuple[dict[str, Any], st.SearchStrategy[Any]]


@st.composite
def _scalars(draw: st.DrawFn) -> Made:
    kind = draw(st.sampled_from(("text", "id", "integer", "number", "boolean", "enum")))
    if kind == "text":
        least, most = draw(_bounded(0, 8))
        return {"type": "string", "minLength": least, "maxLength": most}, st.text(
            st.characters(codec="utf-8"), min_size=least, max_size=most
        )
    if kind == "id":
        safe = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
        return {"type": "string", "format": "id"}, st.text(safe, min_size=1, max_size=100)
    if kind == "integer":
        least, most = draw(_bounded(-(2**63), 2**63 - 1))
        bounds = draw(st.sampled_from(({}, {"minimum": least}, {"minimum": least, "maximum": most})))
        return {"type": "integer", **bounds}, st.integers(bounds.get("minimum", -(2**63)), bounds.get("maximum", 2**63 - 1))
    if kind == "number":
        return {"type": "number"}, st.floats(allow_nan=False, allow_infinity=False)
    if kind == "boolean":
        return {"type": "boolean"}, st.booleans()
    values = draw(st.lists(_texts, min_size=1, max_size=3, unique=True) | st.lists(_INT64, min_size=1, max_size=3, unique=True))
    return {"enum": values}, st.sampled_from(values)


def _or_null(inner: st.SearchStrategy[Made]) -> st.SearchStrategy[Made]:
    return inner.map(
        lambda made: (made[0] | {"type": [made[0]["type"], "null"]}, made[1] | st.none()) if "type" in made[0] else made
    )


def _several(inner: st.SearchStrategy[Made]) -> st.SearchStrategy[Made]:
    lists = inner.map(lambda made: ({"type": "array", "items": made[0], "maxItems": 3}, st.lists(made[1], max_size=3)))
    maps = inner.map(
        lambda made: ({"type": "object", "additionalProperties": made[0]}, st.dictionaries(_texts, made[1], max_size=3))
    )
    return lists | maps | _objects(inner)


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[Made]) -> Made:
    made = draw(st.dictionaries(_names, inner, max_size=4))
    needed = [name for name in made if draw(st.booleans())]
    schema = {"type": "object", "properties": {name: each for name, (each, _) in made.items()}, "required": needed}
    values = {name: each for name, (_, each) in made.items()}
    return schema, st.fixed_dictionaries(
        {name: values[name] for name in needed}, optional={name: each for name, each in values.items() if name not in needed}
    )


_made = _objects(st.recursive(_or_null(_scalars()), _several, max_leaves=6))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), made=_made)
def test_what_a_schema_allows_survives_the_wire_on_both_paths(data: st.DataObject, made: Made) -> None:
    schema, values = made
    with tempfile.TemporaryDirectory() as folder:
        own = events_with(declare(Path(folder), wish_v1=schema))
    told = [data.draw(values) for _ in range(4)]
    lines = [json.dumps({"type": "wish", **ENVELOPE, **each}, ensure_ascii=data.draw(st.booleans())).encode() for each in told]
    fast = own.decode_lines(b"\n".join(lines))
    assert fast is not None
    assert fast == [own.decode(line) for line in lines] == [own.from_builtins(json.loads(line)) for line in lines]
    for event, fields in zip(fast, told, strict=True):
        encoded = own.encode(event)
        assert own.decode(encoded) == event
        kept = json.loads(encoded)
        assert {name: kept[name] for name in fields} == fields
        assert kept.keys() == {"type", "type_version", "schema_version", "context", *ENVELOPE, *fields}


def _said(decode: Callable[[bytes], Any], line: bytes) -> Any:
    """The event, or None for a refusal that is fit to be told."""
    try:
        return decode(line)
    except Rejected as error:
        refused = str(error)
    assert len(refused.splitlines()) == 1
    assert SECRET not in refused
    return None


@settings(max_examples=150, deadline=None)
@given(data=st.data(), made=_made)
def test_hostile_input_is_refused_in_one_line_on_every_path_or_on_none(data: st.DataObject, made: Made) -> None:
    schema, values = made
    with tempfile.TemporaryDirectory() as folder:
        own = events_with(declare(Path(folder), wish_v1=schema))
    quoted = f"\n{SECRET}\n"
    hostile = ANYTHING | st.sampled_from([quoted, {quoted: quoted}, [quoted], "\u0000", "x" * 200_000, 10**400, 1e308, -0.0])
    fields = {"type": "wish", **ENVELOPE, **data.draw(values)}
    names = [*schema["properties"], "type_version", "type", "schema_version", "user_id", "context"]
    fields[data.draw(st.sampled_from(names))] = data.draw(hostile)
    line = json.dumps(fields).encode()
    told = [_said(own.decode, line), _said(lambda each: own.from_builtins(own.parse(each)), line)]
    told.append((own.decode_lines(line) or [None])[0])
    assert told[0] == told[1]
    # a line of an older version is nothing for the quick path alone
    assert told[2] in (told[0], None)
    if told[0] is not None:
        assert isinstance(told[0], msgspec.Struct)
        assert own.decode(own.encode(told[0])) == told[0]


def test_the_collectors_document_and_its_answers_agree_on_own_types(tmp_path: Path) -> None:
    """The property tests of the door, with own types behind it: what the document allows is taken, and comes whole."""
    tests = ("tests/property/http/test_collector_openapi.py", "tests/property/untrusted/test_bounds.py")
    folder = declare(tmp_path, wish_v1=WISH, page_view_v1=CAMPAIGN, purchase_v1=CAMPAIGN)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        env={**os.environ, "CLICKSTREAM_EVENTS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout[-3_000:]

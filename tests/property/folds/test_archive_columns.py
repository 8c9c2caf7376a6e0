"""Any type of a shop's own through Parquet and back, read by DuckDB: every value, and every event, as it was."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import duckdb
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from clickstream import events
from clickstream.consumers.archive import parquet
from clickstream.consumers.archive.columns import Columns
from clickstream.consumers.archive.views import Result
from clickstream.events import Event, PageView

ENVELOPE: dict[str, Any] = {"event_id": "e", "user_id": "u", "session_id": "s", "occurred_at": 1_764_000_000_123}
LONG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


class Inner(msgspec.Struct, frozen=True):
    size: int
    label: str | None = None


class Loose(msgspec.Struct, frozen=True):
    note: str | UnsetType | None = UNSET


class Kind(NamedTuple):
    """A property's type, its values, and what SQL has in place of one."""

    annotation: Any
    values: st.SearchStrategy[Any]
    in_sql: Callable[[Any], Any] = lambda value: value


def as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


INNER = st.builds(Inner, LONG, st.none() | TEXT)
KINDS = [
    Kind(int, LONG),
    Kind(Annotated[int, Meta(ge=0)], st.integers(0, 2**63 - 1)),
    Kind(float, NUMBER),
    Kind(bool, st.booleans()),
    Kind(Annotated[str, Meta(description="d")], TEXT),
    Kind(Literal["a", "ü"], st.sampled_from(["a", "ü"])),
    Kind(Literal[2], st.just(2)),
    Kind(Literal["a", None], st.sampled_from(["a", None])),
    Kind(Literal["a", 1], st.sampled_from(["a", 1]), as_json),
    Kind(str | None, st.none() | TEXT),
    Kind(int | UnsetType, st.just(UNSET) | LONG, lambda value: None if value is UNSET else value),
    # null and nothing are one in SQL, and two in the event
    Kind(int | UnsetType | None, st.just(UNSET) | st.none() | LONG, lambda value: None if value is UNSET else value),
    Kind(
        Loose,
        st.builds(Loose, st.just(UNSET) | st.none() | TEXT),
        lambda value: {"note": None if value.note is UNSET else value.note},
    ),
    Kind(tuple[float, ...], st.lists(NUMBER, max_size=3).map(tuple), list),
    Kind(list[list[str]], st.lists(st.lists(TEXT, max_size=2), max_size=2)),
    Kind(Inner, INNER, msgspec.structs.asdict),
    Kind(Inner | None, st.none() | INNER, lambda value: value and msgspec.structs.asdict(value)),
    Kind(tuple[Inner, ...], st.lists(INNER, max_size=2).map(tuple), lambda value: [*map(msgspec.structs.asdict, value)]),
    # what no column holds exactly is text
    Kind(dict[str, int], st.dictionaries(TEXT, st.integers(), max_size=2), as_json),
    Kind(int | str, st.integers() | TEXT, as_json),
    Kind(list[dict[str, bool]], st.lists(st.dictionaries(TEXT, st.booleans(), max_size=2), max_size=2), as_json),
]
#: Also names of the columns that all events have.
NAMES = st.lists(
    st.sampled_from(["product_id", "quantity", "ordinal", "url", "items", "unfit", "own_wish", "größe", "a", "b"]),
    unique=True,
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), names=NAMES, adds=st.booleans())
def test_every_value_comes_back(data: st.DataObject, names: list[str], adds: bool) -> None:
    base: type[Event] = PageView if adds else Event
    names = [name for name in names if name not in base.__struct_fields__]
    kinds = {name: data.draw(st.sampled_from(KINDS)) for name in names}
    tag = "page_view" if adds else "wish"
    fields = [
        (name, kind.annotation, *([UNSET] if UnsetType in get_args(kind.annotation) else [])) for name, kind in kinds.items()
    ]
    own: Any = msgspec.defstruct("Own", fields, bases=(base,), tag=tag, frozen=True, kw_only=True)
    sent = data.draw(
        st.lists(st.fixed_dictionaries({name: kind.values for name, kind in kinds.items()}), min_size=1, max_size=4)
    )
    lines = [b'{"ordinal":%d,' % number + events.encode(own(**ENVELOPE, **values))[1:] for number, values in enumerate(sent)]
    columns = Columns([own])
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file, duckdb.connect() as connection:
        Path(file.name).write_bytes(parquet.encode(lines, columns))
        structs = f"own_{tag}" if names else "NULL"
        found = connection.execute(
            f"SELECT ordinal, event_id, type, epoch_ms(occurred_at), {structs} FROM read_parquet(?)", [file.name]
        ).fetchall()
        connection.execute(f"CREATE VIEW events AS SELECT * FROM '{file.name}'")
        whole = Result(connection, "SELECT * FROM events", columns)
        events_again = [columns.event(row) for row in whole.dicts()]
    reader = msgspec.json.Decoder(own)
    for line, values in zip(events_again, sent, strict=True):
        assert events.encode(reader.decode(line)) == events.encode(own(**ENVELOPE, **values))
    for number, (values, row) in enumerate(zip(sent, found, strict=True)):
        *envelope, struct = row
        assert envelope == [number, "e", tag, ENVELOPE["occurred_at"]]
        expected = {name: kinds[name].in_sql(value) for name, value in values.items()}
        assert (struct or {}) == expected
        for name, value in expected.items():
            assert not isinstance(value, float) or math.copysign(1, struct[name]) == math.copysign(1, value)


WIDE: Any = msgspec.defstruct("Wide", [("size", int), ("name", str)], bases=(Event,), tag="wish", frozen=True, kw_only=True)


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(), min_size=1, max_size=5))
def test_what_does_not_fit_its_column_is_kept_as_text(sizes: list[int]) -> None:
    lines = [
        b'{"ordinal":%d,' % number + events.encode(WIDE(**ENVELOPE, size=size, name="n"))[1:]
        for number, size in enumerate(sizes)
    ]
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file, duckdb.connect() as connection:
        Path(file.name).write_bytes(parquet.encode(lines, Columns([WIDE])))
        found = connection.execute("SELECT own_wish, unfit FROM read_parquet(?)", [file.name]).fetchall()
    for size, (struct, unfit) in zip(sizes, found, strict=True):
        if -(2**63) <= size < 2**63:
            assert (struct, unfit) == ({"size": size, "name": "n"}, None)
        else:
            assert (struct, msgspec.json.decode(unfit)) == (None, {"size": size, "name": "n"})

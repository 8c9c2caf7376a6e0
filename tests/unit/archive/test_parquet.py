"""Events through Parquet and back, read by DuckDB, which is not what wrote them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from clickstream import events
from clickstream.consumers.archive import columns, parquet
from clickstream.events import AddToCart, Context, Event, Item, Login, PageView, ProductView, Purchase, RemoveFromCart, Search

ENVELOPE: dict[str, Any] = {"user_id": "ué\U0001f600", "session_id": 's"\\', "occurred_at": 1_764_000_000_123}
ALL: list[Event] = [
    PageView(event_id="1", url="https://shop/\u2028?q='", context=Context(ip="i", device="d", country="DE"), **ENVELOPE),
    ProductView(event_id="2", product_id="p", category="", **ENVELOPE),
    Search(event_id="3", query="\x00\n\x7f" + "x" * 2045, **ENVELOPE),
    AddToCart(event_id="4", product_id="p", quantity=10_000, **ENVELOPE),
    RemoveFromCart(event_id="5", product_id="p", **ENVELOPE),
    Purchase(
        event_id="6",
        order_id="o",
        items=tuple(Item(product_id=f"p{n}", quantity=n, price=10**12) for n in range(1, 501)),
        amount=10**12,
        currency="EUR",
        **ENVELOPE,
    ),
    Login(event_id="7", success=False, **ENVELOPE),
    Login(event_id="8", redriven_for="archive", **(ENVELOPE | {"occurred_at": 4_102_444_800_000})),
]


def test_every_type_comes_back_as_it_went(tmp_path: Path) -> None:
    lines = [b'{"ordinal":%d,' % number + events.encode(event)[1:] for number, event in enumerate(ALL)]
    file = tmp_path / "f.parquet"
    file.write_bytes(parquet.encode(lines))
    with duckdb.connect() as connection:
        result = connection.execute("SELECT *, epoch_ms(occurred_at) AS ms FROM read_parquet(?) ORDER BY ordinal", [str(file)])
        names = [column[0] for column in result.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    for event, row in zip(ALL, rows, strict=True):
        fields = {name: value for name, value in row.items() if value is not None and name not in ("ordinal", "ms")}
        fields["occurred_at"] = row["ms"]
        fields["context"] = {name: value for name, value in (row["context"] or {}).items() if value is not None}
        back = events.from_builtins(fields)
        assert msgspec.structs.replace(back, redriven_for=event.redriven_for) == event


def test_merging_keeps_every_event_in_order(tmp_path: Path) -> None:
    lines = [b'{"ordinal":%d,' % number + events.encode(event)[1:] for number, event in enumerate(ALL)]
    merged, count = parquet.merge([parquet.encode(lines[3:]), parquet.encode(lines[:3])])
    assert count == len(ALL)
    file = tmp_path / "f.parquet"
    file.write_bytes(merged)
    with duckdb.connect() as connection:
        assert connection.execute("SELECT list(ordinal) FROM read_parquet(?)", [str(file)]).fetchall() == [([*range(8)],)]


def test_writing_a_file_imports_no_pandas() -> None:
    program = (
        "import sys\n"
        "from clickstream.consumers.archive import parquet\n"
        'parquet.encode([b\'{"ordinal":1,"type":"login","items":[{"price":1}]}\'])\n'
        "print('pandas' in sys.modules)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


def test_every_field_of_every_event_has_a_column() -> None:
    """``redriven_for`` alone has none: it addresses an application, and is no part of what happened."""
    told = {field.name for kind in events.EVENT_TYPES for field in msgspec.structs.fields(kind)} | {"type"}
    assert told - set(columns.SCHEMA.names) == {"redriven_for"}
    for name, kind in (("context", Context), ("items", Item)):
        column = columns.SCHEMA.field(name).type
        struct = column.value_type if name == "items" else column
        assert [field.name for field in struct] == [field.name for field in msgspec.structs.fields(kind)]


class Sized(Event, frozen=True, kw_only=True, tag="sized"):
    size: int
    quantity: str = "many"


class Renamed(Event, frozen=True, kw_only=True, tag="sized"):
    size: str


@pytest.mark.parametrize("now", [[], [Renamed]])
def test_lines_of_a_declaration_that_was_changed_meanwhile_keep_all_they_have(now: list[type[Event]], tmp_path: Path) -> None:
    """An open chunk outlives a deployment. Its lines must neither stop the shard nor lose what has no column any more."""
    some: list[Event] = [Sized(event_id="1", size=7, **ENVELOPE), ALL[3], Sized(event_id="2", size=10**30, **ENVELOPE)]
    lines = [b'{"ordinal":%d,' % number + events.encode(event)[1:] for number, event in enumerate(some)]
    file = tmp_path / "f.parquet"
    file.write_bytes(parquet.encode(lines, columns.Columns([*events.EVENT_TYPES, *now])))
    with duckdb.connect() as connection:
        found = connection.execute("SELECT event_id, quantity, unfit FROM read_parquet(?)", [str(file)]).fetchall()
    assert [row[:2] for row in found] == [("1", None), ("4", 10_000), ("2", None)]
    assert [msgspec.json.decode(row[2] or "null") for row in found] == [
        {"size": 7, "quantity": "many"},
        None,
        {"size": 10**30, "quantity": "many"},
    ]

"""Tables and folders: each row the event that its columns say, as pandas reads them; one clear line for what cannot be read."""

from __future__ import annotations

import gzip
import io
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import zstandard

from clickstream.errors import UserMistake
from clickstream.events import AnyEvent, Item, Purchase, encode
from clickstream.load.replay import tables
from clickstream.load.replay.formats import Fault, Line
from clickstream.load.replay.inputs import Form, Input
from clickstream.load.replay.mapping import ColumnMap, Rows

#: As many a shop exports them: foreign names and words, no ids, local separators, one purchase with its price.
SHOP = """visitorid;time;event;itemid;price
7;2015-06-02T05:02:12.117Z;view;"355,908";
7;1433221400;addtocart;355908;
8;1433221999827;transaction;17;12.34
7;2015-06-02 07:00:00 UTC;view;17;
"""
MAPPING = ColumnMap(
    columns={"user_id": "visitorid", "occurred_at": "time", "type": "event", "product_id": "itemid"},
    texts={"currency": "EUR", "context.country": "DE"},
    types={"view": "product_view", "addtocart": "add_to_cart", "transaction": "purchase"},
    major_units=True,
)
GOOD = '{"type":"login","event_id":"e%d","user_id":"u","session_id":"s","occurred_at":1700000000000}\n'


def _csv(text: str, mapping: ColumnMap = MAPPING, *names: str) -> list[Line | Fault]:
    return list(tables.from_csv(io.BytesIO(text.encode()), Rows(mapping), names))


def _events(entries: list[Line | Fault]) -> list[AnyEvent]:
    return [entry.event for entry in entries if isinstance(entry, Line)]


def test_a_table_of_a_shop_is_its_events() -> None:
    entries = _csv(SHOP)
    view, cart, purchase, later = _events(entries)

    frame = pd.read_csv(io.StringIO(SHOP), sep=";", dtype="str")
    assert [event.user_id for event in (view, cart, purchase, later)] == frame["visitorid"].tolist()
    assert [getattr(event, "product_id", None) for event in (view, cart, later)] == frame["itemid"][[0, 1, 3]].tolist()
    assert [event.occurred_at for event in (view, cart, purchase, later)] == [
        1_433_221_332_117, 1_433_221_400_000, 1_433_221_999_827, 1_433_228_400_000
    ]  # fmt: skip
    assert isinstance(purchase, Purchase)
    assert (purchase.amount, purchase.currency, purchase.items) == (1234, "EUR", (Item(product_id="17", price=1234),))
    assert view.session_id == cart.session_id != later.session_id
    assert {event.context.country for event in (view, purchase)} == {"DE"}
    assert _events(_csv(SHOP)) == _events(entries)
    assert len({event.event_id for event in _events(entries)}) == 4


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ("7;soon;view;1;", "$.occurred_at"),
        ("7;inf;view;1;", "$.occurred_at"),
        ("7;1433221400;look;1;", "$.type"),
        (";1433221400;view;1;", "$"),
        ("7;1433221400;transaction;1;12.345", "$.price"),
        ("7;1433221400;view;1;2;3", "$"),
        ("7;9999999999;view;1;", "$.occurred_at"),
        (f'7;1433221400;view;"{"x" * 140_000}";', "$"),
    ],
)
def test_a_wrong_row_is_a_fault_in_its_place_and_the_rest_goes_on(row: str, path: str) -> None:
    header, first, *_ = SHOP.splitlines()

    fault, good = _csv("\n".join([header, row, first, ""]))

    assert isinstance(fault, Fault)
    assert (fault.line, fault.path, fault.tail) == (2, path, False)
    assert isinstance(good, Line)


def test_a_price_with_decimals_passes_for_no_minor_units() -> None:
    (fault,) = _csv("type,user_id,occurred_at,amount\npurchase,u,1433221400,12.5\n", ColumnMap())

    assert isinstance(fault, Fault)
    assert "--major-units" in fault.reason


def test_a_table_without_its_columns_says_so_once() -> None:
    with pytest.raises(UserMistake, match="no column 'visitorid'"):
        _csv("user,time\n1,2\n")
    with pytest.raises(UserMistake, match="no column for type, user_id, occurred_at"):
        _csv("543462,1715,1464116,pv,1511658000\n", ColumnMap())


def test_columns_may_have_their_names_from_outside() -> None:
    (event,) = _events(_csv("7\t1433221400\tview\t1\n", MAPPING, "visitorid", "time", "event", "itemid"))

    assert event.user_id == "7"


def test_parquet_is_its_rows(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rows: list[dict[str, Any]] = [
        {"type": "purchase", "order_id": "o", "amount": 5.0, "currency": "EUR", "items": [{"product_id": "p", "price": 5}]},
        {"type": "product_view", "product_id": "p"},
    ]
    frame = pd.DataFrame([{"user_id": 7, "context": {"country": "DE", "ip": None}, **row} for row in rows])
    frame["occurred_at"] = pd.to_datetime(1_433_221_332_117, unit="ms")
    frame.to_parquet(tmp_path / "events")

    purchase, view = _events(list(Input(str(tmp_path / "events"), Form())))

    assert isinstance(purchase, Purchase)
    assert (purchase.amount, purchase.items) == (5, (Item(product_id="p", price=5),))
    assert (view.user_id, view.occurred_at, view.context.country) == ("7", 1_433_221_332_117, "DE")


def test_a_folder_is_all_its_files_and_a_line_for_each_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "day=1").mkdir()
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress((GOOD % 1).encode()))
    (tmp_path / "day=1" / "part-0").write_bytes(zstandard.compress((GOOD % 2).encode()))
    (tmp_path / "day=1" / "part.csv").write_text("type,user_id,occurred_at\nlogin,u,1433221400\n")
    (tmp_path / "b.zip").write_bytes(b"PK\3\4")
    (tmp_path / "c.parquet").write_bytes(b"PAR1 no more")
    (tmp_path / "d.txt").write_text("hello\n")
    (tmp_path / "e.csv").write_text("a,b\n1,2\n")
    (tmp_path / "f.gz").write_bytes(b"\x1f\x8b nothing")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "empty").touch()
    source = Input(str(tmp_path), Form())
    read: list[tuple[str, Line | Fault]] = [(Path(source.name).name, entry) for entry in source]

    assert [(name, type(entry)) for name, entry in read] == [
        ("a.ndjson.gz", Line), *((name, Fault) for name in ("b.zip", "c.parquet", "d.txt")),
        ("part-0", Line), ("part.csv", Line), ("e.csv", Fault), ("f.gz", Fault),
    ]  # fmt: skip
    assert all(str(entry).startswith("passed over: ") for _, entry in read if isinstance(entry, Fault))
    assert source.bytes_read() == source.size


def test_what_is_sent_is_what_is_judged(tmp_path: Path) -> None:
    """The verdict reads the events of a table as they were put."""
    assert all(entry.data == encode(entry.event) for entry in _csv(SHOP) if isinstance(entry, Line))
    shutil.rmtree(tmp_path)
    with pytest.raises(UserMistake):
        list(Input(str(tmp_path), Form()))

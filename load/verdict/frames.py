"""Event files as pandas frames, by pandas and the standard library alone: none of the platform's parsing is shared here.

A frame has one row per event in file order and the columns of :data:`COLUMNS`; what a type of event lacks is "", 0 or ().
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

#: Column → dtype. ``at`` is milliseconds since the epoch; ``quantity`` the pieces added to the cart; of a purchase, ``amount``
#: is the total in minor units and ``basket`` a tuple of (product, pieces).
COLUMNS: dict[str, str] = {
    "event_id": "str",
    "type": "str",
    "user": "str",
    "session": "str",
    "at": "int64",
    "product": "str",
    "category": "str",
    "quantity": "int64",
    "query": "str",
    "amount": "int64",
    "currency": "str",
    "basket": "object",
}
_BLANK: dict[str, object] = {"int64": 0, "str": "", "object": ()}
TYPES = ("page_view", "product_view", "search", "add_to_cart", "remove_from_cart", "purchase", "login")

_TAOBAO_TYPES = {"pv": "product_view", "cart": "add_to_cart", "fav": "page_view", "buy": "purchase"}


def frame_of(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows (dicts by column name, any column left out) as a frame."""
    full = [{name: row.get(name, _BLANK[dtype]) for name, dtype in COLUMNS.items()} for row in rows]
    return pd.DataFrame(full, columns=list(COLUMNS)).astype(COLUMNS)


def from_file(path: Path, file_format: str) -> pd.DataFrame:
    """An event file of a known format (``ndjson`` or ``taobao``), plain or gzip."""
    return {"ndjson": from_ndjson, "taobao": from_taobao}[file_format](path)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def from_taobao(path: Path) -> pd.DataFrame:
    """The Taobao format; a row that is not whole is left out. Sessions end with a gap of more than 30 minutes."""
    raw = pd.read_csv(
        path,
        names=["user", "item", "category", "behavior", "seconds"],
        dtype="str",
        na_filter=False,
        quoting=csv.QUOTE_NONE,
        on_bad_lines="skip",
        compression="gzip" if _is_gzip(path) else None,
    )
    numbers = raw[["user", "item", "category", "seconds"]]
    whole = numbers.apply(lambda column: column.str.fullmatch(r"[0-9]+")).all(axis="columns")
    whole &= raw["behavior"].isin(list(_TAOBAO_TYPES)) & raw["seconds"].str.len().eq(10)
    raw = raw[whole].reset_index(drop=True)
    seconds = raw["seconds"].astype("int64")
    new_session = seconds.groupby(raw["user"]).diff() > 30 * 60
    visit = new_session.groupby(raw["user"]).cumsum().astype("str")
    bought = raw["behavior"].eq("buy")
    viewed_or_carted = raw["behavior"].isin(["pv", "cart"])
    return pd.DataFrame(
        {
            "event_id": raw.index.astype("str"),
            "type": raw["behavior"].map(_TAOBAO_TYPES),
            "user": raw["user"],
            "session": raw["user"] + "/" + visit,
            "at": seconds * 1000,
            "product": raw["item"].where(viewed_or_carted, ""),
            "category": raw["category"].where(viewed_or_carted, ""),
            "quantity": raw["behavior"].eq("cart").astype("int64"),
            "query": "",
            "amount": (100 + raw["item"].astype("int64") % 99_900).where(bought, 0),
            "currency": pd.Series("CNY", index=raw.index).where(bought, ""),
            "basket": [((item, 1),) if is_order else () for item, is_order in zip(raw["item"], bought, strict=True)],
        }
    ).astype(COLUMNS)


def from_ndjson(path: Path) -> pd.DataFrame:
    """NDJSON events of any schema version; lines that are not events are left out."""
    return frame_of(_ndjson_rows(path))


def _ndjson_rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rb") if _is_gzip(path) else path.open("rb") as lines:
        for line in lines:
            try:
                fields = json.loads(line)
            except ValueError:  # not JSON, or not UTF-8
                continue
            if isinstance(fields, dict) and fields.get("type") in TYPES:
                try:
                    yield _row(fields)
                except (KeyError, TypeError, ArithmeticError):
                    continue


def _row(fields: dict[str, Any]) -> dict[str, Any]:
    """One event's columns; a KeyError or TypeError says that a field is missing or of another kind."""
    row: dict[str, Any] = {"type": fields["type"]}
    for column, field in (("event_id", "event_id"), ("user", "user_id"), ("session", "session_id")):
        row[column] = _text(fields[field])
    row["at"] = _whole(fields["occurred_at"])
    if fields["type"] in ("product_view", "add_to_cart", "remove_from_cart"):
        row["product"] = _product(fields)
        row["category"] = fields.get("category", "")
        row["quantity"] = _whole(fields.get("quantity", 1))
    if fields["type"] == "search":
        row["query"] = fields["query"] + ""
    if fields["type"] == "purchase":
        row["currency"] = _text(fields["currency"])
        row["amount"] = _amount(fields["amount"], fields.get("schema_version"))
        row["basket"] = tuple((_product(item), _whole(item.get("quantity", 1))) for item in fields["items"])
        if not row["basket"] or not _text(fields["order_id"]):
            raise KeyError("items")
    return row


def _product(fields: dict[str, Any]) -> str:
    """Version 1 called it ``sku``."""
    return _text(fields["product_id"] if "product_id" in fields else fields["sku"])


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"not text: {value!r}")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"not a whole number: {value!r}")
    return value


def _amount(value: object, version: object) -> int:
    """Minor units; version 1 wrote decimal text."""
    return int(Decimal(_text(value)) * 100) if version == 1 else _whole(value)

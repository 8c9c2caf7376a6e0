"""Event files as pandas frames, by pandas and the standard library alone: none of the platform's parsing is shared here.

A frame has one row per event in file order and the columns of :data:`COLUMNS`; what a type of event lacks is "", 0 or ().
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import IO, Any

import pandas as pd

#: Column → dtype. ``at`` and ``arrived`` are milliseconds since the epoch; ``quantity`` the pieces added to the cart; of a
#: purchase, ``amount`` is the total in minor units and ``basket`` a tuple of (product, pieces).
COLUMNS: dict[str, str] = {
    "event_id": "str",
    "type": "str",
    "user": "str",
    "session": "str",
    "at": "int64",
    "arrived": "int64",
    "product": "str",
    "category": "str",
    "quantity": "int64",
    "query": "str",
    "amount": "int64",
    "currency": "str",
    "basket": "object",
}
_BLANK: dict[str, object] = {"int64": 0, "str": "", "object": ()}
#: Decimals of the currencies that have not two, by ISO 4217.
_EXPONENTS = dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0)
_EXPONENTS |= dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3) | dict.fromkeys(("CLF", "UYW"), 4)

_TAOBAO_TYPES = {"pv": "product_view", "cart": "add_to_cart", "fav": "page_view", "buy": "purchase"}


def frame_of(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows (dicts by column name, any column left out) as a frame."""
    full = [{name: row.get(name, _BLANK[dtype]) for name, dtype in COLUMNS.items()} for row in rows]
    return pd.DataFrame(full, columns=list(COLUMNS)).astype(COLUMNS)


def from_lines(lines: IO[bytes], file_format: str) -> pd.DataFrame:
    """Lines of a known format (``ndjson`` or ``taobao``), each of which is an event."""
    return {"ndjson": from_ndjson, "taobao": from_taobao}[file_format](lines)


def from_taobao(lines: IO[bytes]) -> pd.DataFrame:
    """The Taobao format; a row that is not whole is left out. Sessions end with a gap of more than 30 minutes."""
    raw = pd.read_csv(
        lines,
        names=["user", "item", "category", "behavior", "seconds"],
        dtype="str",
        na_filter=False,
        quoting=csv.QUOTE_NONE,
        on_bad_lines="skip",
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
            "arrived": 0,
            "product": raw["item"].where(viewed_or_carted, ""),
            "category": raw["category"].where(viewed_or_carted, ""),
            "quantity": raw["behavior"].eq("cart").astype("int64"),
            "query": "",
            "amount": (100 + raw["item"].astype("int64") % 99_900).where(bought, 0),
            "currency": pd.Series("CNY", index=raw.index).where(bought, ""),
            "basket": [((item, 1),) if is_order else () for item, is_order in zip(raw["item"], bought, strict=True)],
        }
    ).astype(COLUMNS)


def from_ndjson(lines: Iterable[bytes]) -> pd.DataFrame:
    """NDJSON events of any schema version."""
    return frame_of(_row(json.loads(line)) for line in lines)


def _row(fields: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {name: fields[name] for name in ("type", "event_id")}
    row |= {"user": fields["user_id"], "session": fields["session_id"], "at": int(fields["occurred_at"])}
    if fields["type"] in ("product_view", "add_to_cart", "remove_from_cart"):
        row["product"] = _product(fields)
        row["category"] = fields.get("category", "")
        row["quantity"] = int(fields.get("quantity", 1))
    if fields["type"] == "search":
        row["query"] = fields["query"]
    if fields["type"] == "purchase":
        row["currency"] = fields["currency"]
        exponent = _EXPONENTS.get(fields["currency"], 2)
        # version 1 wrote decimal text
        row["amount"] = int(Decimal(fields["amount"]).scaleb(exponent if fields.get("schema_version") == 1 else 0))
        row["basket"] = tuple((_product(item), int(item.get("quantity", 1))) for item in fields["items"])
    return row


def _product(fields: dict[str, Any]) -> str:
    """Version 1 called it ``sku``."""
    return str(fields["product_id"] if "product_id" in fields else fields["sku"])

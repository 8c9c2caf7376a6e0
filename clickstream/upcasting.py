"""Old schema versions, step by step to the latest: pure functions over parsed JSON.

| version | what changed |
|---|---|
| 1 | products were named ``sku``; a purchase's amount and prices were decimal text ("12.34") |
| 2 | ``product_id``; integer minor units |
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from clickstream.errors import InvalidEvent
from clickstream.money import exponent

Fields = dict[str, Any]
LATEST = 2


def to_latest(fields: Fields) -> Fields:
    """The same event in the latest version; fields of an unknown or future version come back as they are."""
    version = fields.get("schema_version", LATEST)
    while type(version) is int and version in _STEPS:  # not bool: True would count as version 1
        fields = {**_STEPS[version](fields), "schema_version": version + 1}
        version += 1
    return fields


#: Plain digits only: Decimal itself also takes exponents (whose integers fill the memory), underscores, blanks and NaN.
_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")


def _minor_units(text: object, currency: object, path: str) -> int:
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        # a number here must not pass for minor units, which it would in the latest version
        raise InvalidEvent('not a decimal amount in text ("12.34")', path)
    # what is no text is refused later; its str() might be endless
    amount = Decimal(text).scaleb(exponent(currency) if isinstance(currency, str) else 2)
    if amount != amount.to_integral_value():
        raise InvalidEvent("more decimals than the currency has", path)
    return int(amount)


#: What has a product; version 1 had no types but the seven, and what a shop declares may call anything ``sku``.
_WITH_SKU = ("product_view", "add_to_cart", "remove_from_cart")


def _with_product_id(fields: Fields) -> Fields:
    if "sku" not in fields:
        return fields
    renamed = {name: value for name, value in fields.items() if name != "sku"}
    return {"product_id": fields["sku"], **renamed}


def _item(item: Any, currency: object, path: str) -> Any:
    if not isinstance(item, dict):
        return item
    item = _with_product_id(item)
    return {**item, "price": _minor_units(item["price"], currency, f"{path}.price")} if "price" in item else item


def _from_1(fields: Fields) -> Fields:
    kind, currency, items = fields.get("type"), fields.get("currency"), fields.get("items")
    if kind in _WITH_SKU:
        return _with_product_id(fields)
    changed: Fields = {}
    if kind == "purchase" and "amount" in fields:
        changed["amount"] = _minor_units(fields["amount"], currency, "$.amount")
    if kind == "purchase" and isinstance(items, list):
        changed["items"] = [_item(each, currency, f"$.items[{n}]") for n, each in enumerate(items)]
    return fields | changed


_STEPS: dict[int, Callable[[Fields], Fields]] = {1: _from_1}

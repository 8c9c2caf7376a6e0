"""DynamoDB's items: what they count for in bytes, and which values may stand in them.

Sources: DynamoDB developer guide, "Quotas" and "Item sizes and formats".
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from clickstream.infra.local.limits.refusal import Refusal, validation
from clickstream.infra.local.limits.units import utf8_bytes

NUMBER_DIGITS = 38
NUMBER_MAGNITUDES = range(-130, 126)
"""Powers of ten of a number's first digit."""
NESTING_LEVELS = 32

#: A list or a map costs 3 bytes, and each of its members 1 more.
_CONTAINER_BYTES = 3
_MEMBER_BYTES = 1

Value = Mapping[str, Any]
Item = Mapping[str, Value]


def item_size(item: Item) -> int:
    """DynamoDB's item size: attribute names and values in UTF-8, numbers by their digits, containers with their overhead."""
    return sum(utf8_bytes(name) + value_size(value) for name, value in item.items())


def value_size(value: Value) -> int:
    """The size of one attribute value."""
    kind, content = next(iter(value.items()))
    match kind:
        case "S":
            return utf8_bytes(content)
        case "N":
            return _number_size(str(content))
        case "B":
            return len(_binary(content))
        case "BOOL" | "NULL":
            return 1
        case "SS" | "NS" | "BS":
            return sum(value_size({kind[0]: each}) for each in content)
        case "L":
            return _CONTAINER_BYTES + sum(_MEMBER_BYTES + value_size(each) for each in content)
        case "M":
            return _CONTAINER_BYTES + sum(_MEMBER_BYTES + utf8_bytes(name) + value_size(each) for name, each in content.items())
    raise ValueError(f"DynamoDB has no type {kind!r}")


def _binary(content: str | bytes) -> bytes:
    """boto3 gives bytes, the wire base64."""
    return base64.b64decode(content) if isinstance(content, str) else bytes(content)


def _number_size(text: str) -> int:
    """One byte per two significant digits (leading and trailing zeros do not count), one more, and one for a minus sign."""
    if text.isdecimal():
        digits = len(text.strip("0"))
    else:
        try:
            digits = _significant(Decimal(text))
        except InvalidOperation:
            return 0
    return (digits + 1) // 2 + 1 + (1 if text.startswith("-") else 0)


def _significant(number: Decimal) -> int:
    return len(str(int("".join(map(str, number.as_tuple().digits)))).rstrip("0"))


def value_violations(values: Iterable[Value], depth: int = 1) -> Iterator[Refusal]:
    """What is wrong with the values themselves, wherever they stand."""
    for value in values:
        kind, content = next(iter(value.items()))
        if kind == "S":
            continue
        if kind in ("L", "M") and depth > NESTING_LEVELS:
            yield validation("Nesting Levels have exceeded supported limits")
            return
        match kind:
            case "N":
                yield from _number(str(content))
            case "NS":
                yield from _set(kind, content)
                for each in content:
                    yield from _number(str(each))
            case "SS" | "BS":
                yield from _set(kind, content)
            case "L":
                yield from value_violations(content, depth + 1)
            case "M":
                yield from value_violations(content.values(), depth + 1)


def _set(kind: str, content: list[Any]) -> Iterator[Refusal]:
    if not content:
        noun = {"SS": "string", "NS": "number", "BS": "binary"}[kind]
        yield validation(f"One or more parameter values were invalid: An {noun} set  may not be empty")
    elif len(set(map(str, content))) < len(content):
        yield validation(
            f"One or more parameter values were invalid: Input collection [{', '.join(map(str, content))}] contains duplicates."
        )


def _number(text: str) -> Iterator[Refusal]:
    if text.isdecimal() and len(text) <= NUMBER_DIGITS:
        return
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        yield validation(f"The parameter cannot be converted to a numeric value: {text}")
    elif number and number.adjusted() not in NUMBER_MAGNITUDES:
        word, side = ("overflow", "larger") if number.adjusted() > 0 else ("underflow", "smaller")
        yield validation(f"Number {word}. Attempting to store a number with magnitude {side} than supported range")
    elif number and _significant(number) > NUMBER_DIGITS:
        yield validation(f"Attempting to store more than {NUMBER_DIGITS} significant digits in a Number")

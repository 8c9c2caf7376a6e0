"""DynamoDB's limits on keys, items, expressions and batches. Pure.

Sources: DynamoDB developer guide, "Quotas" and "Item sizes and formats"; API reference of each operation. Sizes are in bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from infra.local.gate.refusal import Refusal, validation

KIB = 1024
PARTITION_KEY_BYTES = 2048
SORT_KEY_BYTES = 1024
ITEM_BYTES = 400 * KIB
BATCH_WRITE_ITEMS = 25
BATCH_WRITE_BYTES = 16 * KIB * KIB
BATCH_GET_KEYS = 100
TRANSACTION_ITEMS = 100
TRANSACTION_BYTES = 4 * KIB * KIB
EXPRESSION_BYTES = 4 * KIB
NUMBER_DIGITS = 38
NUMBER_MAGNITUDES = range(-130, 126)
"""Powers of ten of a number's first digit."""
NESTING_LEVELS = 32

#: A list or a map costs 3 bytes, and each of its members 1 more.
_CONTAINER_BYTES = 3
_MEMBER_BYTES = 1

Value = Mapping[str, Any]
Item = Mapping[str, Value]
Keys = Callable[[str], tuple[str, ...]]
"""Table name → its key attributes, the partition key first; empty for a table that nobody knows."""


def refusal(operation: str, parameters: Mapping[str, Any], keys: Keys) -> Refusal | None:
    """What DynamoDB answers before it looks at any stored item; None if it takes the request."""
    return next(_violations(operation, parameters, keys), None)


def too_large(operation: str, item: Item) -> Refusal | None:
    """The refusal of an item as it would be stored. A store that has applied an update calls this with the result."""
    if item_size(item) <= ITEM_BYTES:
        return None
    if operation == "UpdateItem":
        return validation("Item size to update has exceeded the maximum allowed size")
    return validation("Item size has exceeded the maximum allowed size")


def item_size(item: Item) -> int:
    """DynamoDB's item size: attribute names and values in UTF-8, numbers by their digits, containers with their overhead."""
    return sum(_length(name) + value_size(value) for name, value in item.items())


def value_size(value: Value) -> int:
    """The size of one attribute value."""
    kind, content = next(iter(value.items()))
    match kind:
        case "S":
            return _length(content)
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
            return _CONTAINER_BYTES + sum(_MEMBER_BYTES + _length(name) + value_size(each) for name, each in content.items())
    raise ValueError(f"DynamoDB has no type {kind!r}")


def _length(text: str) -> int:
    """In UTF-8. A lone surrogate counts as three bytes: whether it may be sent at all is the encoder's matter."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


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


def _violations(operation: str, parameters: Mapping[str, Any], keys: Keys) -> Iterator[Refusal]:
    match operation:
        case "PutItem":
            yield from _item(parameters["Item"], keys(parameters["TableName"]))
        case "GetItem" | "UpdateItem" | "DeleteItem":
            yield from _key(parameters["Key"], keys(parameters["TableName"]))
        case "BatchWriteItem":
            yield from _batch_write(parameters["RequestItems"], keys)
        case "BatchGetItem":
            yield from _batch_get(parameters["RequestItems"], keys)
        case "TransactWriteItems" | "TransactGetItems":
            yield from _transaction(parameters["TransactItems"], keys)
    yield from _expressions(parameters)


def _item(item: Item, keys: tuple[str, ...]) -> Iterator[Refusal]:
    yield from _key(item, keys)
    yield from _values(item.values())
    refused = too_large("PutItem", item)
    if refused is not None:
        yield refused


def _key(item: Item, keys: tuple[str, ...]) -> Iterator[Refusal]:
    for name, most in zip(keys, (PARTITION_KEY_BYTES, SORT_KEY_BYTES), strict=False):
        value = item.get(name)
        if value is None:
            continue  # no limit: the store itself judges whether a key fits its table
        size = value_size(value)
        if size == 0:
            kind = "string" if "S" in value else "binary"
            yield validation(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty "
                f"{kind} value. Key: {name}"
            )
        if size > most and most == PARTITION_KEY_BYTES:
            # AWS's own text lacks the blank too
            yield validation(
                f"One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of{most} bytes"
            )
        elif size > most:
            yield validation(
                "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of "
                f"{most} bytes"
            )


def _values(values: Iterable[Value], depth: int = 1) -> Iterator[Refusal]:
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
                yield from _values(content, depth + 1)
            case "M":
                yield from _values(content.values(), depth + 1)


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


def _expressions(parameters: Mapping[str, Any]) -> Iterator[Refusal]:
    for name, expression in parameters.items():
        if name.endswith("Expression") and isinstance(expression, str):
            size = _length(expression)
            if size > EXPRESSION_BYTES:
                yield validation(
                    f"Invalid {name}: Expression size has exceeded the maximum allowed size; expression size: {size}"
                )
    yield from _values(parameters.get("ExpressionAttributeValues", {}).values())


def _batch_write(tables: Mapping[str, list[Mapping[str, Any]]], keys: Keys) -> Iterator[Refusal]:
    if sum(map(len, tables.values())) > BATCH_WRITE_ITEMS:
        yield validation("Too many items requested for the BatchWriteItem call")
    size = 0
    seen = []
    for table, requests in tables.items():
        named = keys(table)
        for request in requests:
            kind, entry = next(iter(request.items()))
            if kind == "PutRequest":
                yield from _item(entry["Item"], named)
                seen.append(_identity(table, entry["Item"], named))
                size += item_size(entry["Item"])
            else:
                yield from _key(entry["Key"], named)
                seen.append(_identity(table, entry["Key"], tuple(entry["Key"])))
    yield from _repeated(seen, "Provided list of item keys contains duplicates")
    if size > BATCH_WRITE_BYTES:
        yield validation("Collection size of all items in the BatchWriteItem call exceeds the maximum allowed size of 16 MB")


def _batch_get(tables: Mapping[str, Mapping[str, Any]], keys: Keys) -> Iterator[Refusal]:
    if sum(len(request["Keys"]) for request in tables.values()) > BATCH_GET_KEYS:
        yield validation("Too many items requested for the BatchGetItem call")
    for table, request in tables.items():
        for key in request["Keys"]:
            yield from _key(key, keys(table))
        yield from _repeated(
            [_identity(table, key, tuple(key)) for key in request["Keys"]], "Provided list of item keys contains duplicates"
        )
        yield from _expressions(request)


def _transaction(entries: list[Mapping[str, Any]], keys: Keys) -> Iterator[Refusal]:
    if not 1 <= len(entries) <= TRANSACTION_ITEMS:
        bound = f"less than or equal to {TRANSACTION_ITEMS}" if entries else "greater than or equal to 1"
        yield validation(
            "1 validation error detected: Value '[...]' at 'transactItems' failed to satisfy constraint: "
            f"Member must have length {bound}"
        )
    size = 0
    seen = []
    for entry in entries:
        part = next(iter(entry.values()))
        table = part["TableName"]
        item = part.get("Item") or part["Key"]
        if "Item" in part:
            yield from _item(item, keys(table))
        else:
            yield from _key(item, keys(table))
        yield from _expressions(part)
        size += item_size(item) + sum(map(value_size, part.get("ExpressionAttributeValues", {}).values()))
        seen.append(_identity(table, item, keys(table) if "Item" in part else tuple(item)))
    yield from _repeated(seen, "Transaction request cannot include multiple operations on one item")
    if size > TRANSACTION_BYTES:
        # AWS counts whole items, stored ones included; what the request itself carries is the least that they can be
        yield validation("Transaction size exceeded: the aggregate size of the items in the transaction exceeds 4 MB")


def _identity(table: str, item: Item, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Tells one item from another; empty if the table's keys are not known."""
    return (table, *(repr(item.get(name)) for name in sorted(keys))) if keys else ()


def _repeated(identities: list[tuple[str, ...]], message: str) -> Iterator[Refusal]:
    known = [each for each in identities if each]
    if len(set(known)) < len(known):
        yield validation(message)

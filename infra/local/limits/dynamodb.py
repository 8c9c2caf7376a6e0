"""DynamoDB's limits on keys, items, expressions and batches.

Sources: DynamoDB developer guide, "Quotas"; API reference of each operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clickstream.infra.local.limits import constraints
from clickstream.infra.local.limits.items import Item, item_size, value_size, value_violations
from clickstream.infra.local.limits.refusal import Refusal, validation
from clickstream.infra.local.limits.units import KIB, MIB, utf8_bytes

PARTITION_KEY_BYTES = 2048
SORT_KEY_BYTES = 1024
ITEM_BYTES = 400 * KIB
BATCH_WRITE_ITEMS = 25
BATCH_WRITE_BYTES = 16 * MIB
BATCH_GET_KEYS = 100
BATCH_STATEMENTS = 25
TRANSACTION_ITEMS = 100
TRANSACTION_BYTES = 4 * MIB
EXPRESSION_BYTES = 4 * KIB

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
        case "BatchExecuteStatement":
            refused = constraints.refusal(
                constraints.length("statements", parameters["Statements"], 1, BATCH_STATEMENTS, shown="'[...]'")
            )
            if refused is not None:
                yield refused
    yield from _expressions(parameters)


def _item(item: Item, keys: tuple[str, ...]) -> Iterator[Refusal]:
    yield from _key(item, keys)
    yield from value_violations(item.values())
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


def _expressions(parameters: Mapping[str, Any]) -> Iterator[Refusal]:
    for name, expression in parameters.items():
        if name.endswith("Expression") and isinstance(expression, str):
            size = utf8_bytes(expression)
            if size > EXPRESSION_BYTES:
                yield validation(
                    f"Invalid {name}: Expression size has exceeded the maximum allowed size; expression size: {size}"
                )
    yield from value_violations(parameters.get("ExpressionAttributeValues", {}).values())


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
    refused = constraints.refusal(constraints.length("transactItems", entries, 1, TRANSACTION_ITEMS, shown="'[...]'"))
    if refused is not None:
        yield refused
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

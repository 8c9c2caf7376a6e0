"""DynamoDB's items and requests out of plain values, and back. Pure.

In an expression ``:name`` is a value, and ``#name`` the attribute of that name: DynamoDB reserves many plain words.
"""

import re
from collections.abc import Mapping
from typing import Any

from clickstream.aws.boto_types import AttributeValueTypeDef

Value = str | int | bool | bytes | frozenset[str] | Mapping[str, str | int]
"""An attribute of an item."""

_NAME = re.compile(r"#(\w+)")


def attribute(value: Value) -> AttributeValueTypeDef:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case frozenset():
            return {"SS": sorted(value)}
        case _:
            return {"M": {name: attribute(inner) for name, inner in value.items()}}


def item(values: Mapping[str, Value]) -> dict[str, AttributeValueTypeDef]:
    """An item, or its key."""
    return {name: attribute(value) for name, value in values.items()}


def plain(value: Mapping[str, Any]) -> Any:
    """The inverse of ``attribute`` for numbers, which are integers here, text, truth values and maps of them."""
    kind, content = next(iter(value.items()))
    if kind == "M":
        return {name: plain(inner) for name, inner in content.items()}
    return int(content) if kind == "N" else content


def update(table: str, key: Mapping[str, str], expression: str, values: Mapping[str, Value], condition: str = "") -> Any:
    """The arguments of an UpdateItem, for boto3's typed calls."""
    request: dict[str, Any] = {
        "TableName": table,
        "Key": item(key),
        "UpdateExpression": expression,
        **_expressed(f"{expression} {condition}", values),
    }
    return {**request, "ConditionExpression": condition} if condition else request


def query(table: str, condition: str, values: Mapping[str, Value], **others: Any) -> Any:
    """The arguments of a Query that sees every write before it; ``others`` are DynamoDB's own."""
    request = {"TableName": table, "KeyConditionExpression": condition, "ConsistentRead": True, **others}
    return {**request, **_expressed(f"{condition} {others.get('ProjectionExpression', '')}", values)}


def _expressed(text: str, values: Mapping[str, Value]) -> dict[str, Any]:
    request: dict[str, Any] = {"ExpressionAttributeValues": {f":{name}": attribute(value) for name, value in values.items()}}
    if names := {f"#{name}": name for name in _NAME.findall(text)}:
        request["ExpressionAttributeNames"] = names
    return request

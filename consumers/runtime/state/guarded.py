"""The condition of every absolute value in DynamoDB: it is written only over the value of an older position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from consumers.runtime.position import Position

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, PutTypeDef


def guarded_put(table: str, item: Mapping[str, AttributeValueTypeDef], position: Position) -> PutTypeDef:
    """A put of the item with its ``position``. It is refused when a later position's value, of which ours is part, is there."""
    at: AttributeValueTypeDef = {"S": str(position)}
    return {
        "TableName": table,
        "Item": {"position": at, **item},
        "ConditionExpression": "attribute_not_exists(#position) OR #position < :position",
        "ExpressionAttributeNames": {"#position": "position"},
        "ExpressionAttributeValues": {":position": at},
    }

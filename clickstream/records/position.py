"""How far a fold has come: a record's place in its shard, compared as numbers."""

from collections.abc import Collection, Mapping

import msgspec

from clickstream.aws.boto_types import AttributeValueTypeDef, BatchStatementRequestTypeDef, PutTypeDef

#: Kinesis sequence numbers have up to 56 digits; padded text of one width orders as the numbers do, also in DynamoDB,
#: whose own numbers keep only 38 digits.
_SEQUENCE_DIGITS = 60
_SUB_DIGITS = 6


class Position(msgspec.Struct, frozen=True, order=True):
    """(sequence number, sub-sequence number) of a user record; the latter counts inside a KPL aggregate, from 0."""

    sequence: int
    sub: int = 0

    def __str__(self) -> str:
        return f"{self.sequence:0{_SEQUENCE_DIGITS}d}.{self.sub:0{_SUB_DIGITS}d}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """The inverse of ``str()``; raises ValueError."""
        sequence, _, sub = text.partition(".")
        return cls(int(sequence), int(sub))


#: Before the first record of any shard.
START = Position(-1, 0)


def guarded_put(table: str, item: Mapping[str, AttributeValueTypeDef], position: Position) -> PutTypeDef:
    """A put of the item with its ``position``: every absolute value in DynamoDB is written only over an older position's.

    It is refused when a later position's value, of which ours is part, is there.
    """
    at: AttributeValueTypeDef = {"S": str(position)}
    return {
        "TableName": table,
        "Item": {"position": at, **item},
        "ConditionExpression": "attribute_not_exists(#position) OR #position < :position",
        "ExpressionAttributeNames": {"#position": "position"},
        "ExpressionAttributeValues": {":position": at},
    }


def guarded_statement(
    table: str, keys: Collection[str], item: Mapping[str, AttributeValueTypeDef], position: Position, *, there: bool
) -> BatchStatementRequestTypeDef:
    """As :func:`guarded_put`, for a batch of statements: half the price of a transaction. PartiQL has no put.

    An item that is ``there`` is updated: refused (ConditionalCheckFailed) if it is not there after all, or is of a later
    position. Another is inserted: refused (DuplicateItem) if it is there after all.
    """
    at: AttributeValueTypeDef = {"S": str(position)}
    item = {"position": at, **item}
    if not there:
        values = ", ".join(f"'{name}': ?" for name in item)
        return {"Statement": f'INSERT INTO "{table}" VALUE {{{values}}}', "Parameters": list(item.values())}
    changed = [name for name in item if name not in keys]
    changes, place = " ".join(f'SET "{name}" = ?' for name in changed), " AND ".join(f'"{key}" = ?' for key in keys)
    statement = f'UPDATE "{table}" {changes} WHERE {place} AND "position" < ?'
    return {"Statement": statement, "Parameters": [*(item[name] for name in (*changed, *keys)), at]}

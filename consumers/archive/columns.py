"""The archive's columns: those of all events, and a struct for each type with properties of a shop's own. Pure.

An own type's properties, and those that a shop adds to one of the seven, are the fields of the column ``own_<type>``: two
types may give one name to different things. A file lacks what was declared after it; readers find null there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import inspect

from clickstream.envelope import BUILT_IN, Event
from clickstream.events import EVENT_TYPES

_TEXT = pa.string()


def _texts(names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, _TEXT) for name in names.split()]


_ITEM = pa.struct([*_texts("product_id category"), ("quantity", pa.int32()), ("price", pa.int64())])
#: What the seven types have, as JSON has it: the time still a number.
COMMON = pa.schema(
    [
        ("ordinal", pa.int64()),
        *_texts("type event_id user_id session_id"),
        ("occurred_at", pa.int64()),
        ("schema_version", pa.int16()),
        ("context", pa.struct(_texts("ip device country referrer device_kind traceparent"))),
        *_texts("url product_id category"),
        ("quantity", pa.int32()),
        *_texts("query order_id"),
        ("items", pa.list_(_ITEM)),
        ("amount", pa.int64()),
        *_texts("currency payment_fingerprint"),
        ("success", pa.bool_()),
    ]
)
TIME = COMMON.get_field_index("occurred_at")
#: The JSON of own properties that are not as their columns: beyond 64 bits, or of a declaration that was changed while their
#: chunk was open. And of those that are in their columns, where a null does not tell whether it was said. Empty for all others.
UNFIT = "unfit"
_EPOCH, _MS = datetime(1970, 1, 1), timedelta(milliseconds=1)  # as the columns are: UTC, without a zone

_raw = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Own(msgspec.Struct, frozen=True):
    """A type's properties: ``shared`` are in :data:`COMMON`, its own ``kinds`` in ``column``; None is JSON as text."""

    column: str
    shared: tuple[str, ...]
    kinds: Mapping[str, pa.DataType | None]
    nulls: frozenset[str]
    """Of its own, those of which a null in the column is null in the event: it may not be left out, or then means null."""

    @classmethod
    def of(cls, kind: type[Event]) -> "Own":
        fields = msgspec.structs.fields(next((each for each in BUILT_IN if issubclass(kind, each)), Event))
        shared = {"type", *(field.name for field in fields)}
        own = inspect.type_info(kind).fields[len(fields) :]  # type: ignore[attr-defined]  # it is a struct's
        kinds = {field.encode_name: _column(field.type) for field in own}
        nulls = frozenset(field.encode_name for field in own if field.required or field.default is None)
        return cls(f"own_{kind.__struct_config__.tag}", tuple(name for name in COMMON.names if name in shared), kinds, nulls)


#: What is known of a type that is none now, and was one when its chunk was begun.
_ENVELOPE = Own.of(Event)


class Columns:
    """``own``: by name, the types with properties of a shop's own. ``parsed`` is the schema of lines, ``schema`` a file's."""

    def __init__(self, types: Sequence[type[Event]]) -> None:
        self._types = {str(kind.__struct_config__.tag): Own.of(kind) for kind in types}
        plain = {str(kind.__struct_config__.tag) for kind in types if kind in BUILT_IN}
        self.own = {name: own for name, own in self._types.items() if name not in plain}
        with_kinds = [own for own in self.own.values() if own.kinds]
        structs = [(own.column, pa.struct([(name, kind or _TEXT) for name, kind in own.kinds.items()])) for own in with_kinds]
        self.parsed = pa.schema([*COMMON, (UNFIT, _TEXT), *structs])
        #: Times without a zone, and UTC: readers need no zone data to cut them into hours. Microseconds are known everywhere.
        self.schema = self.parsed.set(TIME, pa.field("occurred_at", pa.timestamp("us")))

    def arranged(self, line: bytes, *, fits: bool = True) -> bytes:
        """An event's line as ``parsed`` has it: own properties are in their column, or one text if they do not fit there."""
        name = line.split(b'"', 6)[5].decode()  # {"ordinal":17,"type":"wish",
        own = self._types.get(name, _ENVELOPE)
        if fits and own is not _ENVELOPE and name not in self.own:
            return line
        ordinal, _, rest = line.partition(b",")  # an own property may have the ordinal's name
        fields: dict[str, Any] = {**_raw.decode(b"{" + rest)}
        mine = {name: fields.pop(name) for name in list(fields) if name not in own.shared and name != "redriven_for"}
        if fits and mine.keys() <= own.kinds.keys():
            texts = {name: msgspec.json.encode(value).decode() for name, value in mine.items() if own.kinds[name] is None}
            fields[own.column] = mine | texts
            mine = {name: value for name, value in mine.items() if name not in texts and _hides(value, name in own.nulls)}
        if mine:
            fields[UNFIT] = msgspec.json.encode(mine).decode()
        return ordinal + b"," + msgspec.json.encode(fields)[1:]

    def event(self, row: Mapping[str, Any]) -> bytes:
        """The inverse: an event's JSON out of its row, which has all columns."""
        own = self._types.get(row["type"], _ENVELOPE)
        fields = {name: _told(row[name]) for name in own.shared if row[name] is not None}
        fields["occurred_at"] = (row["occurred_at"] - _EPOCH) // _MS
        for name, value in (row.get(own.column) or {}).items():
            if value is not None and own.kinds[name] is None:
                fields[name] = msgspec.Raw(value.encode())
            elif value is not None or name in own.nulls:
                fields[name] = _told(value)
        if row[UNFIT] is not None:
            fields |= _raw.decode(row[UNFIT])
        return msgspec.json.encode(fields)


def _hides(value: msgspec.Raw, is_told: bool) -> bool:
    """Whether a property's column does not tell all: where it is null, JSON says null or nothing."""
    return b"null" in bytes(value) and not (is_told and bytes(value) == b"null")


def _told(value: Any) -> Any:
    """Without the fields of structs that are null."""
    if isinstance(value, dict):
        return {name: _told(each) for name, each in value.items() if each is not None}
    return [*map(_told, value)] if isinstance(value, list) else value


def _column(kind: inspect.Type, depth: int = 8) -> pa.DataType | None:
    """None when no column would be as exact as the JSON; ``depth`` ends with types that hold themselves."""
    match kind:
        case inspect.Metadata(type=inner):
            return _column(inner, depth)
        case inspect.UnionType(types=(one, inspect.NoneType()) | (inspect.NoneType(), one)):
            return _column(one, depth)
        case inspect.LiteralType() | inspect.EnumType():
            values = kind.values if isinstance(kind, inspect.LiteralType) else [each.value for each in kind.cls]
            kinds = {type(value) for value in values if value is not None}
            return pa.int64() if kinds == {int} else _TEXT if kinds == {str} else None
        case inspect.CollectionType(item_type=item) if (of := _column(item, depth)) is not None:
            return pa.list_(of)
        case inspect.StructType(fields=fields, tag=None, array_like=False) if fields and depth:
            columns = {field.encode_name: _column(field.type, depth - 1) for field in fields}
            return None if None in columns.values() else pa.struct([*columns.items()])
    return _PLAIN.get(type(kind))


_IN_QUOTES = (inspect.StrType, inspect.DateTimeType, inspect.DateType, inspect.TimeType, inspect.UUIDType)
_NUMBERS = {inspect.BoolType: pa.bool_(), inspect.IntType: pa.int64(), inspect.FloatType: pa.float64()}
_PLAIN = _NUMBERS | dict.fromkeys(_IN_QUOTES, _TEXT)

COLUMNS = Columns(EVENT_TYPES)
SCHEMA = COLUMNS.schema
"""A file's columns; a field that an event type does not have is null. (shard, ordinal) tells each event from all others; the
shard is in the file's name, the date and hour in its path."""

"""The archive's columns: those of all events, and a struct for each type with properties of a shop's own. Pure.

An own type's properties, and those that a shop adds to one of the seven, are the fields of the column ``own_<type>``: two
types may give one name to different things. A file lacks what was declared after it; readers find null there.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec
import pyarrow as pa
from msgspec import inspect

from clickstream.events import EVENT_TYPES, Event

_TEXT = pa.string()
#: What the seven types have, as JSON has it: the time still a number.
COMMON = pa.schema(
    [
        ("ordinal", pa.int64()),
        ("type", _TEXT),
        ("event_id", _TEXT),
        ("user_id", _TEXT),
        ("session_id", _TEXT),
        ("occurred_at", pa.int64()),
        ("schema_version", pa.int16()),
        (
            "context",
            pa.struct([(name, _TEXT) for name in ("ip", "device", "country", "referrer", "device_kind", "traceparent")]),
        ),
        ("url", _TEXT),
        ("product_id", _TEXT),
        ("category", _TEXT),
        ("quantity", pa.int32()),
        ("query", _TEXT),
        ("order_id", _TEXT),
        (
            "items",
            pa.list_(pa.struct([("product_id", _TEXT), ("category", _TEXT), ("quantity", pa.int32()), ("price", pa.int64())])),
        ),
        ("amount", pa.int64()),
        ("currency", _TEXT),
        ("payment_fingerprint", _TEXT),
        ("success", pa.bool_()),
    ]
)
TIME = COMMON.get_field_index("occurred_at")
#: The JSON of own properties that are not as their columns: beyond 64 bits, or of a declaration that was changed while their
#: chunk was open. Empty for all others.
UNFIT = "unfit"

_TYPE = re.compile(rb'\{"ordinal":\d+,"type":"([^"]+)"')
_raw = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _ours(kind: type[Event]) -> type[Event]:
    """The one of the seven that it is or adds to, or Event itself."""
    return next(each for each in kind.__mro__ if issubclass(each, Event) and each.__module__ == Event.__module__)


class Own(msgspec.Struct, frozen=True):
    """A type's properties: ``shared`` are in :data:`COMMON`, its own ``kinds`` in ``column``; None is JSON as text."""

    column: str
    shared: tuple[str, ...]
    kinds: Mapping[str, pa.DataType | None]

    @classmethod
    def of(cls, kind: type[Event]) -> "Own":
        shared = {"type", *_ours(kind).__struct_fields__}
        return cls(
            column=f"own_{kind.__struct_config__.tag}",
            shared=tuple(name for name in COMMON.names if name in shared),
            kinds={
                field.encode_name: _property(field.type)
                for field in inspect.type_info(kind).fields  # type: ignore[attr-defined]  # it is a struct's
                if field.name not in shared
            },
        )

    def arranged(self, line: bytes, *, fits: bool) -> bytes:
        """An event's line with its own properties where their column is, or as one text where they do not fit there."""
        ordinal, _, rest = line.partition(b",")  # an own property may have the ordinal's name
        fields = _raw.decode(b"{" + rest)
        mine = {name: fields.pop(name) for name in list(fields) if name not in self.shared and name != "redriven_for"}
        placed: dict[str, object] = dict(fields)
        if fits and mine.keys() <= self.kinds.keys():
            placed[self.column] = {
                name: bytes(value).decode() if self.kinds[name] is None else value for name, value in mine.items()
            }
        elif mine:
            placed[UNFIT] = msgspec.json.encode(mine).decode()
        return ordinal + b"," + msgspec.json.encode(placed)[1:]


#: What is known of a type that is none now, and was one when its chunk was begun.
_ENVELOPE = Own.of(Event)


class Columns:
    """``own``: by name, the types that have properties of their own. ``parsed`` is the schema of lines, ``schema`` a file's."""

    def __init__(self, types: Sequence[type[Event]]) -> None:
        self._types = {str(kind.__struct_config__.tag): Own.of(kind) for kind in types}
        names = [str(kind.__struct_config__.tag) for kind in types if _ours(kind) is not kind]
        self.own = {name: self._types[name] for name in names}
        structs = {
            own.column: pa.struct([(name, kind or _TEXT) for name, kind in own.kinds.items()])
            for own in self.own.values()
            if own.kinds
        }
        self.parsed = pa.schema([*COMMON, (UNFIT, _TEXT), *structs.items()])
        #: Times without a zone, and UTC: readers need no zone data to cut them into hours. Microseconds are known everywhere.
        self.schema = self.parsed.set(TIME, pa.field("occurred_at", pa.timestamp("us")))

    def arranged(self, line: bytes, *, fits: bool = True) -> bytes:
        """The line as ``parsed`` has it."""
        found = _TYPE.match(line)
        name = found[1].decode() if found else ""
        if not name or (fits and name in self._types and name not in self.own):
            return line
        return self._types.get(name, _ENVELOPE).arranged(line, fits=fits)


def _property(kind: inspect.Type) -> pa.DataType | None:
    with suppress(RecursionError):  # of a type that holds itself
        return _column(kind)
    return None


def _column(kind: inspect.Type) -> pa.DataType | None:
    """None when no column would be as exact as the JSON."""
    match kind:
        case inspect.Metadata(type=inner):
            return _column(inner)
        case inspect.UnionType(types=(one, inspect.NoneType()) | (inspect.NoneType(), one)):
            return _column(one)
        case inspect.LiteralType(values=values):
            return _one_kind(values)
        case inspect.EnumType(cls=cls):
            return _one_kind([each.value for each in cls])
        case inspect.CollectionType(item_type=item) if (of := _column(item)) is not None:
            return pa.list_(of)
        case inspect.StructType(fields=fields, tag=None, array_like=False) if fields:
            kinds = {field.encode_name: _column(field.type) for field in fields}
            return None if None in kinds.values() else pa.struct(list(kinds.items()))
    return _PLAIN.get(type(kind))


def _one_kind(values: Sequence[object]) -> pa.DataType | None:
    kinds = {type(value) for value in values if value is not None}
    return pa.int64() if kinds == {int} else _TEXT if kinds == {str} else None


_PLAIN = {inspect.BoolType: pa.bool_(), inspect.IntType: pa.int64(), inspect.FloatType: pa.float64()} | dict.fromkeys(
    # what JSON has as text
    (inspect.StrType, inspect.DateTimeType, inspect.DateType, inspect.TimeType, inspect.UUIDType),
    _TEXT,
)

COLUMNS = Columns(EVENT_TYPES)
SCHEMA = COLUMNS.schema
"""A file's columns; a field that an event type does not have is null. (shard, ordinal) tells each event from all others; the
shard is in the file's name, the date and hour in its path."""

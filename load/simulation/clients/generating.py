"""Events of any type, out of nothing but the type: few values per field, so that keys meet again."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from string import ascii_lowercase
from typing import Any
from uuid import UUID

import msgspec
from msgspec import inspect

from clickstream import events
from clickstream.errors import UserMistake
from clickstream.events import AnyEvent, Event

#: The envelope is the sender's.
_ENVELOPE = frozenset((*Event.__struct_fields__, "type_version"))
_VALUES = 5
#: What is tried where a pattern is asked for.
_PATTERNED = ("EUR", "USD", "GBP", "a", "A", "1", "12", "abc", "ABC", "2026-01-02", "a@b.example", "https://shop.example/")


def tag(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)


class Generator:
    """``handled``: the types of which four in five events are; empty makes all of them equally frequent."""

    def __init__(self, handled: Collection[str] = ()) -> None:
        self._all: Sequence[type[Event]] = events.EVENT_TYPES
        self._handled = [kind for kind in self._all if tag(kind) in handled]

    def event(self, random: Random, **envelope: Any) -> AnyEvent:
        kind = random.choice(self._handled if self._handled and random.random() < 0.8 else self._all)
        made: Any = kind(**envelope, **_fields(kind, random))
        return made  # type: ignore[no-any-return]


@cache
def _info(kind: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return found.fields


def _fields(kind: type[msgspec.Struct], random: Random) -> dict[str, Any]:
    """The fields of a struct but for the envelope's; one with a default is now and then left out."""
    left = _ENVELOPE if issubclass(kind, Event) else frozenset[str]()
    return {
        field.name: value(field.type, field.name, random)
        for field in _info(kind)
        if field.name not in left and (field.required or random.random() < 0.8)
    }


def value(asked: inspect.Type, name: str, random: Random) -> Any:
    """A value of the type, as the decoder would make it. Raises UserMistake for one that it cannot make."""
    match asked:
        case inspect.Metadata():
            return value(asked.type, name, random)
        case inspect.StrType():
            return _text(asked, name, random)
        case inspect.BoolType():
            return random.random() < 0.5
        case inspect.IntType():
            return _number(asked, random)
        case inspect.FloatType():
            least = asked.ge if asked.ge is not None else (asked.gt or 0.0) + 0.25
            most = asked.le if asked.le is not None else (asked.lt - 0.25 if asked.lt is not None else least + 100)
            return least + (most - least) * random.randrange(_VALUES) / _VALUES
        case inspect.LiteralType():
            return random.choice(asked.values)
        case inspect.EnumType():
            return random.choice(list(asked.cls))
        case inspect.UnionType():
            return value(random.choice(asked.types), name, random)
        case inspect.StructType():
            return asked.cls(**_fields(asked.cls, random))
        case inspect.TupleType():
            return tuple(value(each, name, random) for each in asked.item_types)
        case inspect.DictType():
            least = asked.min_length or 0
            return {
                f"{value(asked.key_type, name, random)}{number}"[-(getattr(asked.key_type, "max_length", 0) or 99) :]: value(
                    asked.value_type, name, random
                )
                for number in range(least, least + random.randrange(3))
            }
        case inspect.CollectionType():
            count = (asked.min_length or 0) + random.randrange(3)
            count = min(count, asked.max_length if asked.max_length is not None else count)
            made = [value(asked.item_type, name, random) for _ in range(count)]
            return {inspect.VarTupleType: tuple, inspect.SetType: set, inspect.FrozenSetType: frozenset}.get(type(asked), list)(
                made
            )
        case inspect.NoneType():
            return None
        case inspect.AnyType():
            return random.randrange(_VALUES)
    simple = _SIMPLE.get(type(asked))
    if simple is None:
        raise UserMistake(f"the field {name} is of a type that is not generated: {type(asked).__name__}")
    return simple


_SIMPLE: dict[type[inspect.Type], Any] = {
    inspect.BytesType: b"bytes",
    inspect.DateTimeType: datetime(2026, 1, 2, tzinfo=UTC),
    inspect.DateType: date(2026, 1, 2),
    inspect.TimeType: time(3, 4, tzinfo=UTC),
    inspect.TimeDeltaType: timedelta(hours=1),
    inspect.UUIDType: UUID(int=1),
    inspect.DecimalType: Decimal(1),
}


def _text(asked: inspect.StrType, name: str, random: Random) -> str:
    if asked.pattern is not None:
        fitting = [text for text in _PATTERNED if re.search(asked.pattern, text) and len(text) >= (asked.min_length or 0)]
        if not fitting:
            raise UserMistake(f"no text is known for the field {name}, whose pattern is {asked.pattern}")
        return random.choice(fitting)
    text = f"{ascii_lowercase[random.randrange(_VALUES)]}-{name}".ljust(asked.min_length or 0, "x")
    return text[: asked.max_length]


def _number(asked: inspect.IntType, random: Random) -> int:
    least = asked.ge if asked.ge is not None else (asked.gt + 1 if asked.gt is not None else 0)
    most = asked.le if asked.le is not None else (asked.lt - 1 if asked.lt is not None else least + 1_000)
    if most < least:
        least = most - 1_000
    number = random.randint(least, min(most, least + 1_000))
    step = asked.multiple_of or 1
    return -(-number // step) * step

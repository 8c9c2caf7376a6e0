"""Events of any type, out of nothing but the type: the decoder takes them all."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from random import Random
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType, inspect

from clickstream import events
from clickstream.errors import UserMistake
from clickstream.load.simulation.clients.generating import Generator, tag, value


class Colour(Enum):
    RED = "red"


class Part(msgspec.Struct, frozen=True):
    name: str
    sizes: tuple[int, ...] = ()


TYPES = [
    *(str, bytes, bool, int, float, None, Colour, Part, datetime, Any, list[Part], dict[str, int], set[int], tuple[int, str]),
    *(Literal["a", 1], int | None, str | UnsetType, frozenset[str]),
    Annotated[str, Meta(min_length=20)],
    Annotated[str, Meta(max_length=2)],
    Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3)],
    Annotated[int, Meta(ge=5, le=7)],
    Annotated[int, Meta(lt=-10)],
    Annotated[int, Meta(gt=3, multiple_of=10)],
    Annotated[float, Meta(gt=0, lt=1)],
    Annotated[list[int], Meta(min_length=3, max_length=3)],
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_a_value_of_any_type(kind: Any) -> None:
    random = Random(1)
    for _ in range(50):
        made = value(inspect.type_info(kind), "field", random)
        again = msgspec.json.decode(msgspec.json.encode(made), type=kind) if made is not UNSET else made
        assert again == made


def test_what_cannot_be_made_is_named() -> None:
    with pytest.raises(UserMistake, match="zip_code"):
        value(inspect.type_info(Annotated[str, Meta(pattern="^[0-9]{5}-[0-9]{4}$")]), "zip_code", Random(1))


def test_events_of_all_types_are_valid_and_meet_again() -> None:
    random, made = Random(1), []
    for number in range(500):
        event = Generator(("search",)).event(
            random, event_id=f"e{number}", user_id="u", session_id="s", occurred_at=1_800_000_000_000
        )
        assert events.decode(events.encode(event)) == event
        made.append(tag(type(event)))
    assert set(made) == {tag(kind) for kind in events.EVENT_TYPES}
    assert made.count("search") > 300

from __future__ import annotations

import random

import msgspec
import pytest

from clickstream.consumers.analytics.aggregate_rows import MOST_BYTES, decode, encode, row
from clickstream.consumers.analytics.counting.partial import Columns, Partial, capacity, columns, normalised
from clickstream.consumers.analytics.counting.tally import leaders
from clickstream.consumers.analytics.windows import HOUR, Window
from tests.unit.analytics.traffic import traffic

NOTHING = columns([])


def partial(part: Columns, width: int) -> Partial:
    filled = Partial()
    filled.add(part, Partial(), capacity(width))
    return filled


def test_a_row_says_what_the_partial_holds() -> None:
    events = traffic(1, 300)
    filled = partial(columns(events), 1)
    filled.uniques.add(event.user_id for event in events)
    filled.add_funnel(range(9))
    content = decode(encode(filled, 1))
    assert content.events == filled.events
    assert content.revenue == filled.revenue
    assert content.funnel == list(range(9))
    assert content.uniques == filled.uniques.to_bytes()
    assert [(piece.counts, piece.bound) for piece in content.tallies] == [(tally.counts, 0) for tally in filled.tallies]


def test_a_row_is_addressed_by_window_shard_and_part() -> None:
    written = row(Window(HOUR, 29_926_080, 3), "shardId-000000000007", Partial())
    assert (written.window, written.part) == ("hour#2026-11", "01795564800000#shardId-000000000007#3")


def test_equal_partials_give_equal_bytes_whatever_the_order() -> None:
    events = traffic(3, 300, late_ms=1)
    assert encode(partial(columns(events), 1), 1) == encode(partial(columns(events[::-1]), 1), 1)


def unlike(rng: random.Random, length: int) -> str:
    """Text that no compression makes small: letters of three and four bytes."""
    return "".join(chr(rng.choice((0x4E00, 0x20000)) + rng.randrange(20_000)) for _ in range(length))


@pytest.mark.parametrize("width", [1, HOUR])
@pytest.mark.parametrize(("keys", "length"), [(70_000, 8), (20_000, 36), (5_000, 256)])
def test_a_row_stays_below_the_item_limit(width: int, keys: int, length: int) -> None:
    rng = random.Random(4)
    names = [unlike(rng, length) for _ in range(keys)]
    weights = [(name, number % 50 + 1) for number, name in enumerate(names)]
    part = NOTHING._replace(
        keys={"products": names, "categories": names, "searches": [normalised(name) for name in names]},
        weights={"carted": weights, "bought": weights},
        # every currency that an event can name
        revenue=[(f"{a}{b}{c}", 10**18) for a in LETTERS for b in LETTERS for c in LETTERS],
    )
    filled = partial(part, width)
    filled.uniques.add(names)
    data = encode(filled, width)
    assert len(data) <= MOST_BYTES
    content = decode(data)
    assert len(content.revenue) == 26**3
    for tally, piece in zip(filled.tallies, content.tallies, strict=True):
        held = len(piece.counts)
        assert leaders(tally.counts, held) == leaders(piece.counts, held), "the leaders, counted exactly"
        left_out = [count for key, count in tally.counts.items() if key not in piece.counts]
        assert piece.bound == max([tally.bound(), *left_out])


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize("data", [b"", b"\x78\x01broken", msgspec.msgpack.encode({"a": 1})])
def test_what_is_no_row_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a row"):
        decode(data)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("  Red\t SHOES \n", "red shoes"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        (" \u3000 ", ""),
        ("x" * 300, "x" * 100),
    ],
)
def test_queries_that_differ_in_case_or_spacing_are_one(query: str, expected: str) -> None:
    assert normalised(query) == expected

"""How an event's pieces are put together."""

from __future__ import annotations

import pytest
from msgspec import UNSET, UnsetType

from clickstream.consumers.explain.life import (
    Effect,
    Life,
    Put,
    Sighting,
    Stretch,
    judged,
    made_at,
    processing,
    put_for,
    stretches,
)
from clickstream.errors import InvalidEvent, Rejected
from clickstream.events import AnyEvent, Login
from clickstream.identifiers import uuid7
from clickstream.progress.shards_table import ShardProgress
from clickstream.records.position import Position
from clickstream.serving.pages.explain import life as life_text

T = 1_790_000_000_000


def _login(redriven_for: str | UnsetType = UNSET) -> Login:
    return Login(event_id="e", user_id="u", session_id="s", occurred_at=T, redriven_for=redriven_for)


def _sighting(sequence: int, event: AnyEvent | Rejected, *, at_home: bool = True) -> Sighting:
    put = Put(
        shard="shard",
        sequence_number=str(sequence),
        sub_sequence_number=0,
        arrived_at=T + sequence,
        members=1,
        fate="takes effect",
    )
    return Sighting(put, at_home, event)


@pytest.mark.parametrize(
    ("event_id", "expected"),
    [
        (uuid7(T, 12345), T),
        (uuid7(T, 12345).upper(), T),
        ("b0f3c2a1-0000-4000-8000-000000000000", None),  # version 4 knows no time
        ("order-17", None),
        ("zzzzzzzz-zzzz-7zzz-8zzz-zzzzzzzzzzzz", None),
        ("", None),
    ],
)
def test_a_uuid7_tells_when_it_was_made(event_id: str, expected: int | None) -> None:
    assert made_at(event_id) == expected


def test_the_first_good_put_takes_effect_and_the_later_are_duplicates() -> None:
    puts = judged([_sighting(3, _login()), _sighting(1, _login(), at_home=False), _sighting(2, _login())])
    assert [(put.sequence_number, put.fate) for put in puts] == [
        ("1", "not at home"),
        ("2", "takes effect"),
        ("3", "duplicate"),
    ]
    assert puts[0].reason == "shard refused it: its user_id hashes into another shard"


def test_a_redriven_event_is_for_its_application_alone() -> None:
    puts = judged([_sighting(1, InvalidEvent("?", "$.amount")), _sighting(2, _login("fraud"))])
    assert [put.fate for put in puts] == ["rejected", "takes effect"]
    assert put_for("fraud", puts) == puts[1]
    assert put_for("analytics", puts) == puts[0], "the others rejected it, and still do"
    assert put_for("analytics", []) is None


def test_what_was_rejected_by_another_days_code_is_not_taken_for_processed() -> None:
    """A type was declared meanwhile: today's code takes the first put as well."""
    first, again = judged([_sighting(1, _login()), _sighting(2, _login("fraud"))])
    assert (first.fate, again.fate) == ("takes effect", "takes effect")
    assert put_for("fraud", [first, again]) == again
    assert put_for("analytics", [first, again]) == first
    waiting = put_for("analytics", [first, again], {str(first.position)})
    assert waiting is not None
    assert (waiting.position, waiting.fate) == (first.position, "rejected")


def _put(fate: str = "takes effect") -> Put:
    return Put(
        shard="shard",
        sequence_number="50",
        sub_sequence_number=2,
        arrived_at=T,
        members=9,
        fate=fate,  # type: ignore[arg-type]  # a parameter's text
    )


@pytest.mark.parametrize(
    ("fate", "committed", "effect", "state"),
    [
        ("takes effect", Position(50, 2), None, "processed"),
        ("takes effect", Position(50, 1), None, "waiting"),
        ("takes effect", None, None, "waiting"),
        # effects are written ahead of the commit that covers them
        ("takes effect", Position(50, 1), Effect(what="decided", at=T + 7), "processed"),
        ("rejected", Position(51, 0), None, "dead-lettered"),
        ("rejected", Position(49, 0), None, "waiting"),
    ],
)
def test_how_far_it_has_come(fate: str, committed: Position | None, effect: Effect | None, state: str) -> None:
    shard = ShardProgress(application="fraud", shard="shard", position=None if committed is None else str(committed))
    made = processing("fraud", _put(fate), shard, None, effect, 0)
    assert made.state == state
    assert made.latency_ms == (7 if effect else None)


def test_an_application_that_never_read_the_shard_says_so() -> None:
    assert processing("fraud", _put(), None, None, None, 0).state == "not reading"


def test_the_likely_stretch_comes_first_and_every_stretch_is_bounded() -> None:
    near, far = stretches(T, T + 1_000)
    assert near == Stretch(T - 10_000, T + 60_000)
    assert far.start_ms is not None
    assert far.end_ms is not None
    assert far.start_ms < T - 10_000
    assert far.end_ms > T + 60_000
    assert stretches(None, T) == [Stretch(None, None)]


def test_nothing_of_an_event_becomes_markup() -> None:
    life = Life(
        event_id="<script>alert(1)</script>",
        made_at=None,
        type="login",
        user_id="<b>",
        session_id='"><i>',
        occurred_at=T,
        trace_id=None,
        searched=Stretch(None, None),
        shards_searched=[],
        not_searched=[],
        puts=[],
        applications=[],
        letters=None,
    )
    panel = life_text.panel(life)
    for tag in ("<script", "<b>", "<i>"):
        assert tag not in panel

"""What becomes of a dead letter: one row per rule."""

from __future__ import annotations

import pytest
from msgspec import UNSET, UnsetType

from clickstream import events
from clickstream.consumers.dead_letters.letters import Received
from clickstream.consumers.dead_letters.redriving import decide
from clickstream.consumers.runtime.faults.dead_letters import dead_letter
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.events import AnyEvent, Login
from clickstream.records.position import Position


def received(data: bytes, sequence: int = 10, application: str = "analytics") -> Received:
    letter = dead_letter(
        application=application,
        shard="shardId-0",
        position=Position(sequence, 2),
        partition_key="u",
        arrived_ms=1_000,
        reason="of another day",
        path="$",
        data=data,
    )
    return Received(letter, (f"receipt-{sequence}",))


def login(event_id: str = "e1") -> bytes:
    return events.encode(Login(event_id=event_id, user_id="u", session_id="s", occurred_at=1_764_000_000_000))


def in_stream(
    event_id: str = "e1", user_id: str = "u", sequence: int = 99, sub: int = 0, redriven_for: str | UnsetType = UNSET
) -> tuple[Record, AnyEvent]:
    event = Login(event_id=event_id, user_id=user_id, session_id="s", occurred_at=1_764_000_000_000, redriven_for=redriven_for)
    return Record(events.encode(event), user_id, str(sequence), sub, 2_000), event


def test_what_is_an_event_today_is_put_for_its_application() -> None:
    [decision] = decide([received(login())], [])
    assert decision.word == "put"
    assert decision.event is not None
    assert (decision.event.event_id, decision.event.redriven_for) == ("e1", "analytics")


def test_what_still_is_no_event_stays_with_the_reason_of_today() -> None:
    [decision] = decide([received(b'{"type":"login"}')], [])
    assert (decision.word, decision.event) == ("kept", None)
    assert "event_id" in decision.why


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (in_stream(), "dropped"),  # the shop sent it again, corrected
        (in_stream(redriven_for="analytics"), "dropped"),  # somebody redrove it before
        (in_stream(redriven_for="fraud"), "put"),  # for another application
        (in_stream("e2"), "put"),  # another event
        (in_stream(user_id="another"), "put"),  # nobody's id stands for another user's event
        (in_stream(sequence=10, sub=2), "put"),  # the rejected record itself
        (in_stream(sequence=10, sub=3), "dropped"),  # its neighbour in the same aggregate
    ],
)
def test_what_was_applied_meanwhile_is_not_put_again(seen: tuple[Record, AnyEvent], word: str) -> None:
    [decision] = decide([received(login())], [seen])
    assert (decision.word, decision.event is not None) == (word, word == "put")


def test_two_letters_of_one_event_put_it_once() -> None:
    first, second = decide([received(login()), received(login(), 11)], [])
    assert (first.word, second.word) == ("put", "dropped")


def test_two_applications_each_get_their_own() -> None:
    decisions = decide([received(login()), received(login(), 10, "fraud")], [])
    assert [decision.event.redriven_for for decision in decisions if decision.event is not None] == ["analytics", "fraud"]


def test_a_letters_name_is_its_application_and_place() -> None:
    assert received(login()).id == received(b"other bytes").id
    assert received(login()).id != received(login(), 11).id
    assert received(login()).id != received(login(), 10, "fraud").id

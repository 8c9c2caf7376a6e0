"""What becomes of a dead letter when it is redriven: decisions as values. Pure.

A record was rejected by one application's code of that day. Redriven, it goes to the end of the stream as the same event,
marked for that application: the others have had it, or have their own letter. What was meanwhile applied (the shop sent it
again, corrected; somebody redrove it before) stands later in the stream, and is not put twice.
"""

from collections.abc import Iterable, Sequence

import msgspec

from clickstream import events
from clickstream.errors import Rejected
from clickstream.events import AnyEvent
from consumers.dead_letters.letters import Received


class Put(msgspec.Struct, frozen=True):
    """Put this event on the stream, then delete the letter."""

    received: Received
    event: AnyEvent


class Drop(msgspec.Struct, frozen=True):
    """Delete the letter: its event has taken effect."""

    received: Received
    why: str


class Keep(msgspec.Struct, frozen=True):
    """Leave the letter: today's code rejects it too, or it is an effect's, whose event must not be folded twice."""

    received: Received
    why: str


Decision = Put | Drop | Keep


class InStream(msgspec.Struct, frozen=True):
    """A valid event that the stream holds, and where; ``redriven_for`` is empty for one that is for all applications."""

    event_id: str
    user_id: str
    sequence_number: str
    sub_sequence_number: int
    redriven_for: str


def decide(letters: Sequence[Received], stream: Iterable[InStream]) -> list[Decision]:
    """One decision per letter; ``stream`` holds at least what came after the oldest of them."""
    own = {(each.letter.sequence_number, each.letter.sub_sequence_number) for each in letters}
    applied = {
        (seen.event_id, seen.user_id, seen.redriven_for)  # an id is a client's word: only with the user it names an event
        for seen in stream
        # the rejected record itself is still in the stream, and may be valid by today's code
        if (seen.sequence_number, seen.sub_sequence_number) not in own
    }
    decisions: list[Decision] = []
    for each in letters:
        decision = _decide(each, applied)
        decisions.append(decision)
        if isinstance(decision, Put):
            applied.add((decision.event.event_id, decision.event.user_id, each.letter.application))
    return decisions


def _decide(received: Received, applied: set[tuple[str, str, str]]) -> Decision:
    letter = received.letter
    if letter.effect is not None:
        return Keep(
            received, "its event was folded, only this effect was refused: write it by hand, or mend its store and replay"
        )
    try:
        event = events.decode(letter.data)
    except Rejected as error:
        return Keep(received, str(error))
    if applied & {(event.event_id, event.user_id, application) for application in ("", letter.application)}:
        return Drop(received, "its event has been applied meanwhile")
    return Put(received, msgspec.structs.replace(event, redriven_for=letter.application))

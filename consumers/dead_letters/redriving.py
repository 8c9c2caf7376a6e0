"""What becomes of a dead letter when it is redriven: decisions as values. Pure.

A record was rejected by one application's code of that day. Redriven, it goes to the end of the stream as the same event,
marked for that application: the others have had it, or have their own letter. What was meanwhile applied (the shop sent it
again, corrected; somebody redrove it before) stands later in the stream, and is not put twice.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from clickstream import events
from clickstream.consumers.dead_letters.letters import Received
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.errors import Rejected
from clickstream.events import AnyEvent


class Decision(msgspec.Struct, frozen=True):
    """``put``: put ``event`` on the stream, then delete the letter. ``dropped``: delete it, its event has taken effect.

    ``kept``: today's code rejects it too, or it is an effect's, whose event must not be folded twice.
    """

    received: Received
    word: Literal["put", "dropped", "kept"]
    why: str
    """Of an event that is put, its id."""
    event: AnyEvent | None = None


def decide(letters: Sequence[Received], stream: Iterable[tuple[Record, AnyEvent]]) -> list[Decision]:
    """One decision per letter; ``stream`` holds at least the valid events that came after the oldest of them."""
    own = {(each.letter.sequence_number, each.letter.sub_sequence_number) for each in letters}
    applied = {
        (event.event_id, event.user_id, event.redriven_for)  # an id is a client's word: only with the user it names an event
        for record, event in stream
        # the rejected record itself is still in the stream, and may be valid by today's code
        if (record.sequence_number, record.sub_sequence_number) not in own
    }
    return [_decide(each, applied) for each in letters]


def _decide(received: Received, applied: set[tuple[str, str, str | UnsetType]]) -> Decision:
    """Adds to ``applied`` what is put."""
    letter = received.letter
    if letter.effect is not None:
        why = "its event was folded, only this effect was refused: write it by hand, or mend its store and replay"
        return Decision(received, "kept", why)
    try:
        event = events.decode(letter.data)
    except Rejected as error:
        return Decision(received, "kept", str(error))
    if applied & {(event.event_id, event.user_id, application) for application in (UNSET, letter.application)}:
        return Decision(received, "dropped", "its event has been applied meanwhile")
    applied.add((event.event_id, event.user_id, letter.application))
    return Decision(received, "put", event.event_id, msgspec.structs.replace(event, redriven_for=letter.application))

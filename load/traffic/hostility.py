"""Hostile clients among a run's visitors: who they are, and in which turn they send what. Pure and seeded.

The rules by which the ledger knows what becomes of it:

- what is within its bounds is an event and counts, whatever it says, in all five applications;
- what is beyond them is refused at the door, with the path, or becomes one dead letter of each application that reads it;
- an event is identified by its id and its user: under an id that belongs to another user's event it counts, and hides nothing;
  the same user's id again, with whatever content, is a repetition for as long as repetitions are remembered (five minutes at
  least), and the first in the order of the shard is the one that counts;
- the first purchase of an order id is the order; of several users' it may be any one's, since their shards have no order.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from clickstream.events import AnyEvent
from clickstream.load.traffic import bounds
from clickstream.load.traffic.bounds import Case
from clickstream.load.traffic.faults import Emission

#: A flood is more rubbish in a row, on one shard, than a bad deployment of ours would be suspected of.
FLOOD = 1_100
#: It begins after so many records of a run, and again after so many more.
_FIRST_FLOOD, _NEXT_FLOOD = 2_000, 40_000


class Hostiles:
    """Takes a share of a run's records for itself."""

    def __init__(self, seed: int, share: float, part: int) -> None:
        self._random = Random(f"hostile {seed} {part}")
        self._share = share
        self._part = part
        self._records = 0
        self._number = 0
        self._flood = 0
        self._cases: Iterator[Case] = iter(())
        self._own: tuple[str, str, str] | None = None
        """Event id, user and order id of our last purchase."""

    def emit(self, at_ms: int, victim: AnyEvent | None) -> Emission | None:
        """The record of a hostile client, if it is one's turn; ``victim``: what a visitor sent last."""
        self._records += 1
        if self._records >= _FIRST_FLOOD and (self._records - _FIRST_FLOOD) % _NEXT_FLOOD == 0:
            self._flood = FLOOD
        if self._flood:
            self._flood -= 1
            return Emission("malformed", f"flood-{self._part}", b"rubbish %d" % self._records, path="$")
        if self._random.random() >= self._share:
            return None
        self._number += 1
        name = f"h{self._part}-{at_ms}-{self._number}"
        match self._number % 8:
            case 3 if victim is not None:
                return self._with_id_of(victim.event_id, name, at_ms)
            case 5 if self._own is not None:
                return self._again(name, at_ms, *self._own)
            case 7:
                rubbish = bounds.RUBBISH[self._number // 8 % len(bounds.RUBBISH)]
                return Emission("malformed", f"rubbish-{self._part}-{self._number}", rubbish, path="$")
        return self._case(name, at_ms)

    def _with_id_of(self, event_id: str, name: str, at_ms: int) -> Emission:
        """Somebody else's event id under a purchase of the hostile client."""
        fields = bounds.document("purchase", name, at_ms) | {"event_id": event_id, "amount": 5_000_000}
        self._own = (event_id, f"u-{name}", f"o-{name}")
        return event_of(fields)

    def _again(self, name: str, at_ms: int, event_id: str, user_id: str, order_id: str) -> Emission:
        """One's own id again under another content, or one's own order again under another id."""
        self._own = None
        fields = bounds.document("purchase", name, at_ms) | {"user_id": user_id, "amount": 9_000_000}
        if self._random.random() < 0.5:
            return event_of(fields | {"order_id": order_id})
        again = event_of(fields | {"event_id": event_id})
        return msgspec.structs.replace(again, kind="retry")

    def _case(self, name: str, at_ms: int) -> Emission:
        case = next(self._cases, None)
        if case is None:
            self._cases = bounds.cases(name)
            case = next(self._cases)
        fields = bounds.laid_over(case, name, at_ms)
        if not case.path:
            return event_of(fields, is_ascii=self._number % 2 == 0)
        return Emission("malformed", f"u-{name}", bounds.encoded(fields), path=case.path)


def event_of(fields: dict[str, object], *, is_ascii: bool = True) -> Emission:
    """The record of a document that is an event."""
    event: AnyEvent = msgspec.convert(fields, AnyEvent)
    return Emission("event", event.user_id, bounds.encoded(fields, is_ascii=is_ascii), event)

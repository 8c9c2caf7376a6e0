"""Fraud as a fold over one shard: events in, purchases to be decided out, and what the shard saw of keys that others see. Pure.

A purchase's features are computed in its place in the shard's order and travel with the effect, so a replay asks the same
question again. The answer is the sink's: a model, and what other shards saw, are outside data and may not touch the state.
"""

from collections.abc import Sequence

import msgspec

from clickstream.application import Inheritance
from clickstream.events import AnyEvent, Purchase
from clickstream.models.features.crossing import Crossing, Part
from clickstream.models.features.engine import Engine, State
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.rows import ACTS, ROWS
from clickstream.purchases import Bought, facts
from clickstream.records.kept import kept_user


class Candidate(Bought, frozen=True, kw_only=True, gc=False):
    """A purchase to be decided. ``vector`` is in the order of :data:`models.fraud.purchases.PURCHASES`, NaN for missing."""

    vector: tuple[float, ...]
    own: tuple[Part, ...] = ()
    """What this shard had seen of the address, device and card by then."""
    is_partial: bool = False
    """Whether the features of these keys are missing because the other shards' parts could not be had in time."""


CROSSING = Crossing(PURCHASES)


class FraudFold:
    """See ``clickstream.application.Fold``."""

    def __init__(self) -> None:
        self._engine = engine = Engine(PURCHASES, shard=True)
        self._acts = {event_type: engine.observer(kind) for event_type, kind in ACTS.items()}
        self._undecided: list[Candidate] = []

    def apply(self, events: Sequence[AnyEvent]) -> None:
        acts, makers = self._acts, ROWS
        for event in events:
            act = acts.get(type(event))
            if act is not None:  # nearly all that is of any interest
                act(kept_user(event.user_id), event.occurred_at)
            elif (make := makers.get(type(event))) is None:
                continue
            elif isinstance(event, Purchase):
                self._undecided.append(self._candidate(event))
            else:
                kind, row = make(event)
                self._engine.observe(kind, event.occurred_at, row)

    def _candidate(self, event: Purchase) -> Candidate:
        kind, row = ROWS[Purchase](event)
        vector = tuple(self._engine.vector(kind, event.occurred_at, row))
        return Candidate(**facts(event), vector=vector, own=self._engine.parts_of(event.occurred_at, row))

    @property
    def forgotten(self) -> int:
        """Users, addresses, devices and cards, since this process began."""
        return self._engine.forgotten

    def effects(self, *, flush: bool) -> Sequence[Candidate | Part]:
        undecided, self._undecided = self._undecided, []
        return [*undecided, *self._engine.parts()]

    def changes(self) -> bytes:
        return msgspec.msgpack.encode(self._engine.changes())

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._engine.snapshot())

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        """Raises msgspec.MsgspecError when the bytes are no state of this application."""
        self._engine.restore(_decoder.decode(state), None if inheritance is None else inheritance.keys)


_decoder = msgspec.msgpack.Decoder(State)

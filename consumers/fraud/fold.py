"""Fraud as a fold over one shard: events in, purchases to be decided out, and what the shard saw of keys that others see. Pure.

A purchase's features are computed in its place in the shard's order and travel with the effect, so a replay asks the same
question again. The answer is the sink's: a model, and what other shards saw, are outside data and may not touch the state.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from clickstream.events import AnyEvent, Purchase
from consumers.runtime.application import Inheritance
from models.features.crossing import NO_PART, Crossing, Part
from models.features.engine import Engine, State
from models.fraud.purchases import PURCHASES
from models.fraud.rows import ROWS


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A purchase to be decided. ``vector`` is in the order of :data:`models.fraud.purchases.PURCHASES`, NaN for missing."""

    event_id: str
    order_id: str
    user_id: str
    occurred_at: int
    amount: int
    currency: str
    vector: tuple[float, ...]
    own: tuple[Part, ...] = ()
    """What this shard had seen of the address, device and card by then."""
    is_partial: bool = False
    """Whether the features of these keys are missing because the other shards' parts could not be had in time."""


CROSSING = Crossing(PURCHASES)


class FraudFold:
    """See ``consumers.runtime.application.Fold``."""

    def __init__(self) -> None:
        self._engine = Engine(PURCHASES, shard=True)
        self._undecided: list[Candidate] = []
        self._parts: dict[str, Part] = {}

    def apply(self, events: Sequence[AnyEvent]) -> None:
        engine, makers, parts = self._engine, ROWS, self._parts
        for event in events:
            make = makers.get(type(event))
            if make is None:
                continue
            kind, row = make(event)
            if isinstance(event, Purchase):
                vector = tuple(engine.vector(kind, event.occurred_at, row))
                own = engine.parts_of(row)
                for part in own:
                    parts[part.seen] = part
                self._undecided.append(
                    Candidate(
                        event.event_id,
                        event.order_id,
                        event.user_id,
                        event.occurred_at,
                        event.amount,
                        event.currency,
                        vector,
                        own,
                    )
                )
            else:
                engine.observe(kind, event.occurred_at, row)

    def effects(self, *, flush: bool) -> Sequence[Candidate | Part]:
        undecided, self._undecided = self._undecided, []
        parts, self._parts = self._parts, {}
        # what was added to a key after the purchase that it was told with
        parts |= {part.seen: part for part in self._engine.parts()}
        parts.pop(NO_PART.seen, None)
        return [*undecided, *parts.values()]

    def changes(self) -> bytes:
        return msgspec.msgpack.encode(self._engine.changes())

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._engine.snapshot())

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        """Raises msgspec.MsgspecError when the bytes are no state of this application."""
        self._engine.restore(_decoder.decode(state), None if inheritance is None else inheritance.keys)


_decoder = msgspec.msgpack.Decoder(State)

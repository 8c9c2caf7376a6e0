"""Recommendations as a fold over one shard: events in, the visitors whose next offer has changed out. Pure.

What to offer is no part of the state: it depends on the model, so the sink works it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from clickstream.events import AddToCart, AnyEvent, Event, ProductView, Purchase, RemoveFromCart, Search
from clickstream.routing import hash_key
from consumers.recommendations.visitors import Visitor, stranger
from consumers.runtime.application import Inheritance

#: Forgotten visitors leave memory when the watermark has moved on by so much (ms).
_SWEEP_MS = 60_000
_TELLING: frozenset[type[Event]] = frozenset({ProductView, AddToCart, RemoveFromCart, Purchase, Search})
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Visit(msgspec.Struct, frozen=True, gc=False):
    """An effect: a visitor as of now. ``items``: item → weight, the last touched last; ``has``: bought product → category.

    ``clicked``: products clicked since the last effect, in order; ``at_ms``: event time.
    """

    user_id: str
    items: Mapping[str, float]
    has: Mapping[str, str]
    clicked: Sequence[str]
    at_ms: int


class State(msgspec.Struct, array_like=True):
    """The fold's state, or its changes, encoded."""

    watermark: int
    visitors: list[Visitor]


class RecommendationsFold:
    """See ``consumers.runtime.application.Fold``."""

    def __init__(self) -> None:
        self._watermark = 0
        self._swept = 0
        self._visitors: dict[str, Visitor] = {}
        self._clicked: dict[str, list[str]] = {}
        """By visitors who were touched since the last effects."""
        self._changed: dict[str, None] = {}

    def apply(self, events: Sequence[AnyEvent]) -> None:
        visitors, touched, changed, watermark = self._visitors, self._clicked, self._changed, self._watermark
        for event in events:
            if event.occurred_at > watermark:
                watermark = event.occurred_at
            if type(event) not in _TELLING:
                continue
            user_id = event.user_id
            visitor = visitors.get(user_id)
            if visitor is None:
                visitor = visitors[user_id] = stranger(user_id, watermark)
            changed[user_id] = None
            clicked = touched.get(user_id)
            if clicked is None:
                clicked = touched[user_id] = []
            if isinstance(event, ProductView):
                visitor.view(event.product_id, watermark)
                clicked.append(event.product_id)
            elif (product := visitor.follow(event, watermark)) is not None:
                clicked.append(product)
        self._watermark = watermark
        if watermark >= self._swept + _SWEEP_MS:
            self._sweep()

    def _sweep(self) -> None:
        self._swept = self._watermark
        for user_id in [user for user, visitor in self._visitors.items() if visitor.is_forgotten(self._watermark)]:
            if user_id not in self._clicked:  # its effect is still to be given out
                del self._visitors[user_id]

    def effects(self, *, flush: bool) -> Sequence[Visit]:
        touched, self._clicked = self._clicked, {}
        visits = []
        for user_id, clicked in touched.items():
            visitor = self._visitors[user_id]
            has = visitor.has if visitor.bought else _NOTHING
            visits.append(Visit(user_id, visitor.items.copy(), has, clicked, visitor.seen))
        return visits

    def changes(self) -> bytes:
        changed, self._changed = self._changed, {}
        visitors = self._visitors
        return _encoder.encode(State(self._watermark, [visitors[user] for user in changed if user in visitors]))

    def snapshot(self) -> bytes:
        self._sweep()
        self._changed = {}
        return _encoder.encode(State(self._watermark, list(self._visitors.values())))

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        """Raises msgspec.MsgspecError when the bytes are no state of this application."""
        decoded = _decoder.decode(state)
        self._watermark = max(self._watermark, decoded.watermark)
        for visitor in decoded.visitors:
            if inheritance is None or hash_key(visitor.user_id) in inheritance.keys:
                self._visitors[visitor.user_id] = visitor

    def __len__(self) -> int:
        return len(self._visitors)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)

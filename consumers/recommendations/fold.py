"""Recommendations as a fold over one shard: events in, the visitors whose next offer has changed out. Pure.

What to offer is no part of the state: it depends on the model, so the sink works it out.

Clients make up user ids, so what is known of all visitors together is bounded: beyond it those who came least lately are
forgotten before their time. Whom that meets follows from the events alone, as all state does.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from clickstream.application import Inheritance
from clickstream.consumers.recommendations.visitors import Visitor, stranger
from clickstream.events import AddToCart, AnyEvent, ProductView, Purchase, RemoveFromCart, Search, as_decoded
from clickstream.records.routing import hash_key

#: Forgotten visitors leave memory when the watermark has moved on by so much (ms).
_SWEEP_MS = 60_000
#: Of all visitors together (bytes, see ``Visitor.size``): some 100,000 usual ones.
MOST_BYTES = 256 * 1024 * 1024
_TELLING = frozenset(as_decoded(dict.fromkeys((ProductView, AddToCart, RemoveFromCart, Purchase, Search))))
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
    """The fold's state, or its changes, encoded. ``visitors``: the last touched last; ``gone``: forgotten before their time
    since the state was encoded before; ``forgotten``: how many ever were."""

    watermark: int
    visitors: list[Visitor]
    swept: int = 0
    forgotten: int = 0
    gone: list[str] = []


class RecommendationsFold:
    """See ``clickstream.application.Fold``."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._watermark = 0
        self._swept = 0
        self._visitors: dict[str, Visitor] = {}
        """The last touched last."""
        self._bytes = 0
        self.forgotten = 0
        """Visitors, since the shard began."""
        self._gone: dict[str, None] = {}
        self._touched: dict[str, tuple[Visitor, list[str]]] = {}
        """Who was touched since the last effects, as of then, and what they clicked."""
        self._changed: dict[str, None] = {}

    def apply(self, events: Sequence[AnyEvent]) -> None:
        visitors, touched, changed = self._visitors, self._touched, self._changed
        for event in events:
            if event.occurred_at > self._watermark:
                self._watermark = event.occurred_at
                if self._watermark >= self._swept + _SWEEP_MS:
                    self._swept = self._watermark
                    self._sweep()
            if type(event) not in _TELLING:
                continue
            user_id, watermark = event.user_id, self._watermark
            visitor = visitors.pop(user_id, None)
            if visitor is None:
                visitor = stranger(user_id, watermark)
                self._bytes += visitor.size
            visitors[user_id] = visitor
            changed.pop(user_id, None)
            changed[user_id] = None
            mine = touched.get(user_id)
            if mine is None or mine[0] is not visitor:
                mine = touched[user_id] = (visitor, [] if mine is None else mine[1])
            before = visitor.size
            if isinstance(event, ProductView):
                visitor.view(event.product_id, watermark)
                mine[1].append(event.product_id)
            elif (product := visitor.follow(event, watermark)) is not None:
                mine[1].append(product)
            self._bytes += visitor.size - before
            while self._bytes > self._most_bytes and len(visitors) > 1:
                oldest = next(iter(visitors))
                self._drop(oldest)
                self._gone[oldest] = None
                self.forgotten += 1

    def _sweep(self) -> None:
        for user_id in [user for user, visitor in self._visitors.items() if visitor.is_forgotten(self._swept)]:
            self._drop(user_id)

    def _drop(self, user_id: str) -> None:
        self._bytes -= self._visitors.pop(user_id).size

    def effects(self, *, flush: bool) -> Sequence[Visit]:
        touched, self._touched = self._touched, {}
        effects: list[Visit] = []
        for user_id, (visitor, clicked) in touched.items():
            has = visitor.has if visitor.bought else _NOTHING
            effects.append(Visit(user_id, visitor.items.copy(), has, clicked, visitor.seen))
        return effects

    def changes(self) -> bytes:
        changed, self._changed = self._changed, {}
        gone, self._gone = self._gone, {}
        return self._encoded(changed, [user_id for user_id in gone if user_id not in self._visitors])

    def snapshot(self) -> bytes:
        self._changed, self._gone = {}, {}
        return self._encoded(self._visitors, [])

    def _encoded(self, of: Iterable[str], gone: list[str]) -> bytes:
        visitors = [self._visitors[user_id] for user_id in of if user_id in self._visitors]
        return _encoder.encode(State(self._watermark, visitors, self._swept, self.forgotten, gone))

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        """Raises msgspec.MsgspecError when the bytes are no state of this application."""
        decoded = _decoder.decode(state)
        self._watermark = max(self._watermark, decoded.watermark)
        for user_id in decoded.gone:
            if user_id in self._visitors:
                self._drop(user_id)
        for visitor in decoded.visitors:
            if inheritance is None or hash_key(visitor.user_id) in inheritance.keys:
                if visitor.user_id in self._visitors:
                    self._drop(visitor.user_id)
                self._visitors[visitor.user_id] = visitor
                self._bytes += visitor.size
        if inheritance is None:
            self.forgotten = decoded.forgotten
        self._swept = max(self._swept, decoded.swept)
        self._sweep()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)

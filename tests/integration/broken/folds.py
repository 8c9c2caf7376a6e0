"""Analytics with a fault on purpose: what ``clickstream load verify`` must find out. Each breaks one event in thousands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any

import msgspec
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from clickstream.application import Fold, Inheritance, Sink
from clickstream.aws import Clients
from clickstream.consumers.analytics import wiring
from clickstream.events import AddToCart, AnyEvent
from clickstream.settings import Settings

#: One event of so many is broken; the first one is the half of it.
EVERY = 10_000
#: Swapped are pairs of cart additions, of which there are fewer.
EVERY_PAIR = 100

Break = Callable[[Sequence[AnyEvent], int], list[AnyEvent]]
"""(events, how many came before them) → what the fold is given instead."""


def drop_one(events: Sequence[AnyEvent], before: int) -> list[AnyEvent]:
    return [event for n, event in enumerate(events, before) if n % EVERY != EVERY // 2]


def double_one(events: Sequence[AnyEvent], before: int) -> list[AnyEvent]:
    return [event for n, event in enumerate(events, before) for _ in range(2 if n % EVERY == EVERY // 2 else 1)]


def swap_two_users(events: Sequence[AnyEvent], _before: int) -> list[AnyEvent]:
    """Two visitors put something into their carts, and each is taken for the other."""
    swapped = list(events)
    carts = [place for place, event in enumerate(events) if isinstance(event, AddToCart)]
    for one, other in list(zip(carts[::2], carts[1::2], strict=False))[::EVERY_PAIR]:
        first, second = events[one], events[other]
        swapped[one] = msgspec.structs.replace(first, user_id=second.user_id)
        swapped[other] = msgspec.structs.replace(second, user_id=first.user_id)
    return swapped


def raise_at_poison(events: Sequence[AnyEvent], _before: int) -> list[AnyEvent]:
    """A bug that one kind of event sets off."""
    if any(event.event_id.startswith("poison") for event in events):
        raise ArithmeticError("a bug in the fold")
    return list(events)


def break_nothing(events: Sequence[AnyEvent], _before: int) -> list[AnyEvent]:
    return list(events)


VARIANTS: dict[str, Break] = {
    "drops": drop_one,
    "doubles": double_one,
    "swaps": swap_two_users,
    "poison": raise_at_poison,
    "denied": break_nothing,
}


class BrokenFold:
    """See ``clickstream.application.Fold``: the real one, given something else than came."""

    def __init__(self, fold: Fold, broken: Break) -> None:
        self._fold = fold
        self._broken = broken
        self._before = 0

    def apply(self, events: Sequence[AnyEvent]) -> None:
        self._fold.apply(self._broken(events, self._before))
        self._before += len(events)

    def effects(self, *, flush: bool) -> Sequence[Any]:
        return self._fold.effects(flush=flush)

    def changes(self) -> bytes:
        return self._fold.changes()

    def snapshot(self) -> bytes:
        return self._fold.snapshot()

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        self._fold.restore(state, inheritance)


_DENIED = (
    b'{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User: arn:aws:sts::1:assumed-role/w/i is not '
    b'authorized to perform: dynamodb:PutItem on resource: arn:aws:dynamodb:eu-west-1:1:table/aggregates"}'
)


class _Denied(BytesIO):
    """A body that never came over a wire."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


class Broken:
    """Analytics' own wiring around a broken fold."""

    name = wiring.APPLICATION.name

    def __init__(self, broken: Break) -> None:
        self._broken = broken

    def open_fold(self, shard_id: str) -> Fold:
        return BrokenFold(wiring.APPLICATION.open_fold(shard_id), self._broken)

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings) -> Sink:
        # the answer of a DynamoDB that has lost our permission, for as long as there is such a file
        denied = settings.local_dir / "denied"

        def answer(request: AWSPreparedRequest, **_: object) -> Any:
            return AWSResponse(request.url, 400, HTTPHeaders(), _Denied(_DENIED)) if denied.exists() else None

        clients.dynamodb.meta.events.register("before-send.dynamodb.PutItem", answer)
        return wiring.APPLICATION.open_sink(shard_id, clients, settings)

"""Events of a few shoppers, made by hand."""

from __future__ import annotations

from itertools import count
from typing import Any

from clickstream.consumers.fraud.fold import Candidate, FraudFold
from clickstream.events import AddToCart, AnyEvent, Context, Item, Login, PageView, ProductView, Purchase

START_MS = 1_790_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

_ids = count()


def _envelope(user: str, at_ms: int, context: Context | None = None) -> dict[str, Any]:
    return {
        "event_id": f"event-{next(_ids):06d}",
        "user_id": user,
        "session_id": f"session-{user}",
        "occurred_at": at_ms,
        "context": context or Context(device="laptop", country="DE", ip="home"),
    }


def purchase(
    user: str,
    at_ms: int,
    *,
    amount: int = 5_000,
    currency: str = "EUR",
    card: str = "card-1",
    context: Context | None = None,
    pieces: int = 1,
) -> Purchase:
    envelope = _envelope(user, at_ms, context)
    return Purchase(
        **envelope,
        order_id=f"order-{envelope['event_id']}",
        items=(Item(product_id="p", quantity=pieces, price=amount),),
        amount=amount,
        currency=currency,
        payment_fingerprint=card,
    )


def view(user: str, at_ms: int) -> AnyEvent:
    return ProductView(**_envelope(user, at_ms), product_id="p")


def page(user: str, at_ms: int) -> AnyEvent:
    return PageView(**_envelope(user, at_ms))


def cart(user: str, at_ms: int) -> AnyEvent:
    return AddToCart(**_envelope(user, at_ms), product_id="p")


def login(user: str, at_ms: int, *, success: bool = True) -> AnyEvent:
    return Login(**_envelope(user, at_ms), success=success)


def undecided(fold: FraudFold) -> list[Candidate]:
    """The purchases among the effects that a fold gives out now."""
    return [effect for effect in fold.effects(flush=True) if isinstance(effect, Candidate)]

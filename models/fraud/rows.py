"""Events as rows of the feature engine: the same in training and in the worker. Pure."""

from __future__ import annotations

from clickstream.events import AddToCart, AnyEvent, Login, ProductView, Purchase
from models.features.engine import Row

#: Kinds of rows.
PURCHASE = "purchase"
FAILED_LOGIN = "failed_login"
LOGIN = "login"
CART = "cart"
VIEW = "view"

#: Roughly what one minor unit is worth in euro cents: amounts must be comparable across currencies, and no more than that. An
#: amount in another currency is missing for the features, and a rule sends the purchase to review.
EURO_CENTS: dict[str, float] = {
    "AUD": 0.60,
    "BRL": 0.17,
    "CAD": 0.68,
    "CHF": 1.05,
    "CNY": 0.13,
    "CZK": 0.04,
    "DKK": 0.13,
    "EUR": 1.0,
    "GBP": 1.18,
    "HUF": 0.0025,
    "INR": 0.011,
    "JPY": 0.62,
    "KRW": 0.067,
    "MXN": 0.05,
    "NOK": 0.086,
    "PLN": 0.23,
    "SEK": 0.088,
    "USD": 0.92,
}


def row_of(event: AnyEvent) -> tuple[str, Row] | None:
    """The event's kind and fields; None for an event that tells nothing about fraud."""
    match event:
        case ProductView():
            return VIEW, {"user": event.user_id}
        case Purchase():
            rate = EURO_CENTS.get(event.currency)
            return PURCHASE, {
                "user": event.user_id,
                "amount": None if rate is None else event.amount * rate,
                "pieces": sum(item.quantity for item in event.items),
                "lines": len(event.items),
                "device": event.context.device,
                "country": event.context.country,
                "ip": event.context.ip,
                "payment": event.payment_fingerprint,
            }
        case AddToCart():
            return CART, {"user": event.user_id}
        case Login():
            return LOGIN if event.success else FAILED_LOGIN, {"user": event.user_id}
        case _:
            return None

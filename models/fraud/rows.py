"""Events as rows of the feature engine: the same in training and in the worker. Pure."""

from collections.abc import Callable
from typing import Any

from clickstream.events import AddToCart, Event, Login, ProductView, Purchase, as_decoded
from clickstream.models.features.reading import Row
from clickstream.records.kept import kept, kept_user

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


def _purchase(event: Purchase) -> tuple[str, Row]:
    rate, context, items = EURO_CENTS.get(event.currency), event.context, event.items
    return PURCHASE, {
        "user": kept_user(event.user_id),
        "amount": None if rate is None else event.amount * rate,
        "pieces": sum([item.quantity for item in items]),
        "lines": len(items),
        "device": kept(context.device),
        "country": context.country,
        "ip": kept(context.ip),
        "payment": kept(event.payment_fingerprint),
    }


def _login(event: Login) -> tuple[str, Row]:
    if event.success:
        return LOGIN, {"user": kept_user(event.user_id)}
    return FAILED_LOGIN, {
        "user": kept_user(event.user_id),
        "ip": kept(event.context.ip),
        "device": kept(event.context.device),
        "failed": 1,
    }


#: Event types of which nothing is told but that the user did it, and their kinds.
ACTS: dict[type[Event], str] = as_decoded({ProductView: VIEW, AddToCart: CART})


def _act(event: Event) -> tuple[str, Row]:
    return ACTS[type(event)], {"user": kept_user(event.user_id)}


#: Event type → what makes its kind and fields of it; the other types tell nothing about fraud.
ROWS: dict[type[Event], Callable[[Any], tuple[str, Row]]] = as_decoded(
    {**dict.fromkeys(ACTS, _act), Purchase: _purchase, Login: _login}
)

"""What is known of a purchase when it is decided: the user's own last seven days, and the last day of what was used for it.

An address, a device and a card are used by many users, whose events lie on many shards: their tracks cross.
"""

import math

from clickstream.models.features.definitions import (
    DAY_MS,
    HOUR_MS,
    Aggregate,
    Calendar,
    Feature,
    FeatureSet,
    Own,
    Rolling,
    Track,
)
from clickstream.models.fraud.rows import CART, FAILED_LOGIN, PURCHASE, VIEW

_WEEK_MS = 7 * DAY_MS
_WINDOWS = {"1h": HOUR_MS, "24h": DAY_MS, "7d": _WEEK_MS}


def _of(track: str, aggregate: Aggregate, name: str, window: str, column: str = "", empty: float = math.nan) -> Feature:
    return Rolling(
        name=f"{name}_{window}",
        track=track,
        aggregate=aggregate,
        column=column,
        window_ms=_WINDOWS[window],
        empty=empty,
    )


PURCHASES = FeatureSet(
    name="purchases",
    tracks=(
        Track(
            name="purchases",
            key="user",
            kinds=(PURCHASE,),
            columns=("amount", "device", "country", "ip", "payment"),
            limit=64,
        ),
        Track(name="failed_logins", key="user", kinds=(FAILED_LOGIN,), limit=64),
        Track(name="carts", key="user", kinds=(CART,), limit=64),
        Track(name="views", key="user", kinds=(VIEW,), limit=128),
        *(
            Track(
                name=f"by_{key}",
                key=key,
                kinds=(PURCHASE, FAILED_LOGIN),
                columns=("user", "payment", "failed"),
                limit=64,
                crosses=True,
            )
            for key in ("ip", "device")
        ),
        Track(
            name="by_payment", key="payment", kinds=(PURCHASE,), columns=("user", "device", "amount"), limit=64, crosses=True
        ),
    ),
    features=(
        Own(name="amount", field="amount"),
        Own(name="pieces", field="pieces"),
        Own(name="lines", field="lines"),
        Calendar(name="hour", part=Calendar.Part.HOUR),
        Calendar(name="weekday", part=Calendar.Part.WEEKDAY),
        *(_of("purchases", Aggregate.COUNT, "purchases", window) for window in _WINDOWS),
        *(_of("purchases", Aggregate.SUM, "spent", window, "amount", empty=0.0) for window in ("1h", "24h", "7d")),
        _of("purchases", Aggregate.RATIO, "amount_to_usual", "7d", "amount"),
        _of("purchases", Aggregate.SINCE, "since_purchase", "7d"),
        *(
            _of("purchases", Aggregate.DISTINCT, name, window, column, empty=0.0)
            for name, column in (("devices", "device"), ("countries", "country"), ("payments", "payment"), ("ips", "ip"))
            for window in ("24h", "7d")
        ),
        *(
            _of("purchases", Aggregate.NOVEL, f"new_{column}", "7d", column)
            for column in ("device", "country", "payment", "ip")
        ),
        *(_of("failed_logins", Aggregate.COUNT, "failed_logins", window) for window in ("1h", "24h")),
        _of("failed_logins", Aggregate.SINCE, "since_failed_login", "24h"),
        *(_of("views", Aggregate.COUNT, "views", window) for window in ("1h", "24h")),
        _of("carts", Aggregate.COUNT, "carts", "1h"),
        _of("carts", Aggregate.SINCE, "since_cart", "24h"),
        _of("views", Aggregate.SINCE, "since_view", "24h"),
        *(
            feature
            for key in ("ip", "device")
            for feature in (
                _of(f"by_{key}", Aggregate.DISTINCT, f"users_by_{key}", "1h", "user", empty=0.0),
                _of(f"by_{key}", Aggregate.DISTINCT, f"users_by_{key}", "24h", "user", empty=0.0),
                _of(f"by_{key}", Aggregate.DISTINCT, f"payments_by_{key}", "24h", "payment", empty=0.0),
                _of(f"by_{key}", Aggregate.SUM, f"failed_logins_by_{key}", "1h", "failed", empty=0.0),
            )
        ),
        _of("by_payment", Aggregate.DISTINCT, "users_by_payment", "24h", "user", empty=0.0),
        _of("by_payment", Aggregate.DISTINCT, "devices_by_payment", "24h", "device", empty=0.0),
        _of("by_payment", Aggregate.COUNT, "purchases_by_payment", "1h"),
        _of("by_payment", Aggregate.SUM, "spent_by_payment", "24h", "amount", empty=0.0),
    ),
)

"""Kinds of days: how the rate changes over a run, what is on sale, who attacks, what goes wrong. Values, no behaviour."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from clickstream.load.traffic.faults import Rates

Curve = tuple[tuple[float, float], ...]
"""(share of the run that has passed, rate relative to the run's mean), straight between the points."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """See ``clickstream.load.traffic.shop.visitors.Season`` for the shares; ``sale_span`` in shares of the run."""

    about: str
    curve: Curve = ((0.0, 1.0), (1.0, 1.0))
    rates: Rates = Rates()
    attacks: float = 0.002
    hot: float = 0.0
    sale: float = 0.0
    sale_span: tuple[float, float] = (0.0, 0.0)
    hostile: float = 0.0
    """Share of the records that are hostile clients' (``load.traffic.hostility``), who then besiege the door as well."""
    by_visitor_h: float = 0.0
    """Everything happened in so many hours before the run, and comes sorted by visitor."""


def _curve(*weights: float) -> Curve:
    """Equally long stretches between weights, brought to a mean of 1."""
    mean = sum((one + next_one) / 2 for one, next_one in pairwise(weights)) / (len(weights) - 1)
    return tuple((place / (len(weights) - 1), weight / mean) for place, weight in enumerate(weights))


#: A shop's events per hour, from midnight: asleep at four, two humps at noon and in the evening.
_DAY = (30, 18, 11, 8, 7, 9, 18, 35, 55, 70, 80, 88, 95, 90, 84, 82, 84, 90, 98, 110, 118, 108, 80, 50, 30)

PROFILES: dict[str, Profile] = {
    "steady": Profile(about="the same rate throughout, with a few adversaries and faults"),
    "day": Profile(about="a day's tide in the time of the run: quiet at night, busiest in the evening", curve=_curve(*_DAY)),
    "black-friday": Profile(
        about="doors open, one product on sale, a crawler on one key, many adversaries, every fault doubled",
        curve=_curve(5, 6, 9, 20, 18, 15, 13, 12, 10, 9),
        rates=Rates(retry=0.02, late=0.02, malformed=0.004, delayed=0.01, skewed=0.02, old=0.02, oversized=0.000_04),
        attacks=0.01,
        hot=0.03,
        sale=0.25,
        sale_span=(0.3, 0.7),
    ),
    "backfill": Profile(
        about="two days of the past sorted by visitor, as a file of another system is: almost every event is late",
        rates=Rates(late=0, delayed=0, skewed=0, old=0),
        by_visitor_h=48,
    ),
    "hostile": Profile(
        about="an ordinary day beside clients that try everything: bounds, used ids, floods of rubbish, one user without end",
        hot=0.1,
        hostile=0.05,
    ),
}

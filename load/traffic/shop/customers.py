"""Who visits the simulated shop: everything about a person is a function of a number, so that millions cost no memory. Pure."""

from __future__ import annotations

import msgspec

from clickstream.events import Context, DeviceKind
from clickstream.load.traffic.shop.catalogue import CATEGORIES

COUNTRIES = ("DE", "FR", "NL", "US", "GB", "DE", "FR", "AT", "ES", "IT")
CURRENCIES = {"US": "USD", "GB": "GBP"}
_REFERRERS = ("", "", "https://search.example/", "https://social.example/feed", "https://news.example/deals", "newsletter")
_DEVICES = 3
_CARDS = 2
_KINDS: tuple[DeviceKind, ...] = ("phone", "phone", "phone", "desktop", "desktop", "tablet")
#: A category's share of a person's visits, by favourite, in percent; the rest is any category.
_FAVOURITES = (55, 80, 95)
#: A multiplier and a prime that spread neighbouring numbers over everything: a person's traits are independent of each other.
_SPREAD, _PRIME = 0x9E3779B1, 4_294_967_291


class Customer(msgspec.Struct, frozen=True, gc=False):
    """One customer. ``traits`` is a number below 2**32 that looks random."""

    number: int
    user_id: str
    traits: int

    @property
    def country(self) -> str:
        return COUNTRIES[self.traits % len(COUNTRIES)]

    @property
    def currency(self) -> str:
        return CURRENCIES.get(self.country, "EUR")

    def category(self, chance: float) -> int:
        """The category of this visit, an index of :data:`load.traffic.shop.catalogue.CATEGORIES`: mostly a favourite."""
        percent = int(chance * 100)
        for favourite, bound in enumerate(_FAVOURITES):
            if percent < bound:
                return _mixed(self.traits, favourite) % len(CATEGORIES)
        return int(chance * 100 * len(CATEGORIES)) % len(CATEGORIES)

    def context(self, chance: float) -> Context:
        """Where this visit comes from: one of the person's devices, at home but for one visit in fifty."""
        device = int(chance * _DEVICES * 2) % _DEVICES if self.traits & 16 else 0
        away = int(chance * 1_000) % 50 == 7
        country = COUNTRIES[int(chance * 100_000) % len(COUNTRIES)] if away else self.country
        name = f"{self.traits:08x}{device}"
        referrer = _REFERRERS[int(chance * 10_000) % len(_REFERRERS)]
        kind = _KINDS[_mixed(self.traits, 11 + device) % len(_KINDS)]
        return Context(ip=f"ip{name}{country}", device=f"d{name}", country=country, referrer=referrer, device_kind=kind)

    def card(self, chance: float) -> str:
        """The fingerprint of the card of this purchase; some people have two."""
        return f"card-{self.user_id}-{int(chance * _CARDS) if self.traits & 32 else 0}"


def customer(number: int) -> Customer:
    return Customer(number, f"u{number:06d}", _mixed(number, 1))


def _mixed(number: int, salt: int) -> int:
    mixed = (number + 1) * _SPREAD * (2 * salt + 1) % _PRIME
    return (mixed ^ (mixed >> 15)) * 0x85EBCA6B % _PRIME & 0xFFFFFFFF

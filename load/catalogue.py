"""What the simulated shop sells and how popular it is: fixed by a seed, Zipf-distributed, with related search terms."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from random import Random

import msgspec

_ADJECTIVES = ("red", "blue", "green", "warm", "light", "small", "large", "soft", "smart", "classic")
_NOUNS = (
    "shoes", "jacket", "lamp", "chair", "phone", "kettle", "backpack", "watch", "puzzle", "blanket", "bicycle",
    "camera", "tent", "desk", "mug", "scarf", "drill", "piano", "carpet", "mirror",
)  # fmt: skip


class Product(msgspec.Struct, frozen=True, gc=False):
    """``price`` in minor units; ``terms`` are what visitors type when they look for it."""

    product_id: str
    category: str
    price: int
    terms: str


class Catalogue:
    """Products in order of popularity: the k-th is picked with a weight of 1/k."""

    def __init__(self, random: Random, products: int) -> None:
        self.products = [_product(random, rank) for rank in range(1, products + 1)]
        # integer weights: the same sums on every machine
        self._bounds = list(accumulate(1_000_000_000 // rank for rank in range(1, products + 1)))

    def pick(self, random: Random) -> Product:
        return self.products[bisect_right(self._bounds, int(random.random() * self._bounds[-1]))]


def _product(random: Random, rank: int) -> Product:
    noun = _NOUNS[int(random.random() * len(_NOUNS))]
    adjective = _ADJECTIVES[int(random.random() * len(_ADJECTIVES))]
    return Product(
        product_id=f"p{rank:05d}",
        category=noun,
        price=199 + int(random.random() * 200) * 100,
        terms=f"{adjective} {noun}",
    )

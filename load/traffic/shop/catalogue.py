"""What the simulated shop sells: categories, popularity, what goes with what, what is typed to find it. Fixed by a seed.

Only integers and ``Random.random`` are used, so the same seed is the same catalogue on any machine.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from random import Random

import msgspec

_ADJECTIVES = ("red", "blue", "green", "warm", "light", "small", "large", "soft", "smart", "classic")
CATEGORIES = (
    "shoes", "jacket", "lamp", "chair", "phone", "kettle", "backpack", "watch", "puzzle", "blanket", "bicycle",
    "camera", "tent", "desk", "mug", "scarf", "drill", "piano", "carpet", "mirror",
)  # fmt: skip
#: What goes with a product, the best match first.
RELATED = 8
#: Zipf weights are integers of this scale: the same sums on every machine.
_SCALE = 1_000_000_000


class Product(msgspec.Struct, frozen=True, gc=False):
    """``price`` in minor units; ``terms`` are what visitors type when they look for it; ``rank`` is its popularity, from 0."""

    product_id: str
    category: str
    price: int
    terms: str
    rank: int


class Catalogue:
    """``products`` in order of popularity: the k-th is picked with a weight of 1/k, in the shop and within its category."""

    def __init__(self, random: Random, products: int) -> None:
        self.products = [_product(random, rank) for rank in range(products)]
        self._bounds = _zipf(products)
        self.shelves = [[each for each in self.products if each.category == name] for name in CATEGORIES]
        """By category, in the order of :data:`CATEGORIES`; in a small shop some are empty."""
        self._shelf_bounds = [_zipf(len(shelf)) for shelf in self.shelves]
        self._related = [self._companions(random, each) for each in self.products]

    def pick(self, random: Random) -> Product:
        """What anybody looks at."""
        bounds = self._bounds
        return self.products[bisect_right(bounds, int(random.random() * bounds[-1]))]

    def pick_from(self, category: int, random: Random) -> Product:
        """What somebody with this category in mind looks at."""
        bounds = self._shelf_bounds[category]
        return self.shelves[category][bisect_right(bounds, int(random.random() * bounds[-1]))] if bounds else self.pick(random)

    def companion(self, product: Product, random: Random) -> Product:
        """What somebody who looks at a product looks at next."""
        related = self._related[product.rank]
        # the product of two chances: the best matches more often
        return related[int(random.random() * random.random() * len(related))]

    def _companions(self, random: Random, product: Product) -> list[Product]:
        """Mostly of its own category and of any popularity, some from elsewhere: a lamp beside the desk."""
        shelf = self.shelves[CATEGORIES.index(product.category)]
        chosen: dict[int, Product] = {}
        for place in range(4 * RELATED):
            among = self.products if place % 4 == 3 else shelf
            other = among[int(random.random() * len(among))]
            if other is not product:
                chosen.setdefault(other.rank, other)
            if len(chosen) == RELATED:
                break
        return list(chosen.values()) or [product]


def _zipf(count: int) -> list[int]:
    return list(accumulate(_SCALE // rank for rank in range(1, count + 1)))


def _product(random: Random, rank: int) -> Product:
    category = CATEGORIES[int(random.random() * len(CATEGORIES))]
    adjective = _ADJECTIVES[int(random.random() * len(_ADJECTIVES))]
    return Product(
        product_id=f"p{rank + 1:05d}",
        category=category,
        price=199 + int(random.random() * 200) * 100,
        terms=f"{adjective} {category}",
        rank=rank,
    )

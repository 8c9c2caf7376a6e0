"""Searches among the items of a session: who searched alike went on alike, so a query finds its products by itself. Pure.

In a session a query stands as an item of its own, with a mark before it that no product id has. It may be the reason of a
recommendation, and is never recommended.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: ASCII's unit separator.
_MARK = "\x1f"
#: Longer ones are nobody else's.
_LONGEST = 100


def query_item(query: str) -> str | None:
    """The item of a search, the same however people write it; None for one that says nothing."""
    text = " ".join(query.casefold().split())
    return _MARK + text if 0 < len(text) <= _LONGEST else None


def query_of(item: str) -> str | None:
    """The text of a search, None for a product."""
    return item[1:] if item.startswith(_MARK) else None


def are_queries(vocabulary: Sequence[str]) -> npt.NDArray[np.bool_]:
    return np.fromiter((item.startswith(_MARK) for item in vocabulary), np.bool_, len(vocabulary))

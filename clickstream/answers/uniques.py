"""Distinct keys: an HLL sketch of 2**12 registers (standard error 1.63 %, exact up to some hundreds), in canonical form.

A sketch that was fed directly and one that was merged from pieces hold the same registers but different bytes: the library
keeps a history-dependent estimator and the order of insertion. Rows must not depend on how the events were cut, so bytes are
brought into the form that a merge in any order gives. They remain valid Apache DataSketches images (HLL_8).
"""

from collections.abc import Iterable

import msgspec
from datasketches import hll_sketch, hll_union, tgt_hll_type

LG_K = 12

# The image's layout: https://datasketches.apache.org/docs/HLL/HLL.html
_FLAGS, _MODE = 5, 7
#: Where the coupons begin, of four bytes each, in the modes LIST and SET.
_COUPONS_AT = {0: 8, 1: 12}
_OUT_OF_ORDER = 16
_HIP = slice(8, 16)


class Estimate(msgspec.Struct, frozen=True):
    """A count and the bounds that hold it with 95 % confidence."""

    value: float
    low: float
    high: float


class Uniques:
    """Grows by keys and by other sketches; never shrinks."""

    __slots__ = ("_union", "keys")

    def __init__(self, image: bytes | None = None) -> None:
        self._union = hll_union(LG_K)
        self.keys: set[str] = set()
        """Not yet in the sketch, which takes five times as long for a key as a set; most keys come more than once."""
        if image is not None:
            self.merge_bytes(image)

    def add(self, keys: Iterable[str]) -> None:
        """Holds the keys themselves until the sketch is asked for."""
        self.keys.update(keys)

    def _sketched(self) -> hll_union:
        update = self._union.update
        for key in self.keys:
            update(key)
        self.keys.clear()
        return self._union

    def merge(self, other: "Uniques") -> None:
        self._union.update(other._sketched().get_result(tgt_hll_type.HLL_8))

    def merge_bytes(self, image: bytes) -> None:
        """Raises msgspec.MsgspecError when the bytes are no sketch."""
        try:
            self._union.update(hll_sketch.deserialize(image))
        except (RuntimeError, ValueError) as error:
            raise msgspec.ValidationError(f"not an HLL sketch: {error}") from error

    def to_bytes(self) -> bytes:
        """The canonical image: equal for equal sets of keys, however they came in."""
        image = bytearray(self._sketched().get_result(tgt_hll_type.HLL_8).serialize_compact())
        if (start := _COUPONS_AT.get(image[_MODE] & 3)) is not None:
            image[start:] = b"".join(sorted(image[at : at + 4] for at in range(start, len(image), 4)))
        else:
            image[_FLAGS] |= _OUT_OF_ORDER
            image[_HIP] = bytes(8)
        return bytes(image)

    def estimate(self) -> Estimate:
        sketch = hll_sketch.deserialize(self.to_bytes())
        # a confidence interval of two standard deviations
        return Estimate(sketch.get_estimate(), sketch.get_lower_bound(2), sketch.get_upper_bound(2))

from __future__ import annotations

import msgspec
import pytest
from datasketches import hll_sketch
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.answers.uniques import Uniques


@settings(max_examples=60)
# around the sketch's own changes of form: at 8 keys, and when its set of coupons is full
@given(
    st.sampled_from([0, 1, 7, 8, 9, 100, 383, 384, 385, 600, 3000]), st.lists(st.integers(1, 700), max_size=6), st.booleans()
)
def test_equal_keys_give_equal_bytes_however_they_came(count: int, cuts: list[int], through_bytes: bool) -> None:
    keys = [f"user-{number}" for number in range(count)]
    whole, merged = Uniques(), Uniques()
    whole.add(keys)
    at = 0
    for cut in [*cuts, count]:
        piece = Uniques()
        piece.add(reversed(keys[at : at + cut]))
        if through_bytes:
            merged.merge_bytes(piece.to_bytes())
            merged_again = Uniques()
            merged_again.merge_bytes(merged.to_bytes())
            merged = merged_again
        else:
            merged.merge(piece)
        at += cut
    assert merged.to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("count", [0, 5, 300, 5000])
def test_the_bytes_are_a_sketch_that_the_library_reads(count: int) -> None:
    uniques = Uniques()
    uniques.add(f"user-{number}" for number in range(count))
    assert hll_sketch.deserialize(uniques.to_bytes()).get_estimate() == uniques.estimate().value
    assert abs(uniques.estimate().value - count) <= 3 * 0.01625 * count
    assert uniques.estimate().low <= uniques.estimate().value <= uniques.estimate().high


def test_bytes_that_are_no_sketch_are_refused() -> None:
    with pytest.raises(msgspec.MsgspecError, match="not an HLL sketch"):
        Uniques().merge_bytes(b"no sketch at all")

from __future__ import annotations

import pytest

from clickstream.infra.local.kinesis.model import sequence


def test_is_a_decimal_number_of_56_digits() -> None:
    text = sequence.render(sequence.prefix(1_795_521_600, 7), 42, 1_795_521_600_123)
    assert len(text) == 56
    assert sequence.parse(text) == (1_795_521_600, 42, 1_795_521_600_123, 7)


def test_the_counter_orders_numbers_of_a_shard_whatever_the_clock_does() -> None:
    prefix = sequence.prefix(1_795_521_600, 0)
    earlier = sequence.render(prefix, 1, 1_795_521_699_999)
    later = sequence.render(prefix, 2, 1_795_521_600_000)
    assert int(earlier) < int(later)


def test_every_number_of_a_later_epoch_is_greater() -> None:
    last_of_parent = sequence.render(sequence.prefix(100, 9), sequence.LAST_COUNTER, 10**13)
    first_of_child = sequence.render(sequence.prefix(101, 0), sequence.FIRST_COUNTER, 0)
    assert int(last_of_parent) < int(first_of_child)


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "0", "٣", "9" * 200, "12345", str(3 << 184 | 2)])
def test_refuses_what_is_not_one_of_ours(text: str) -> None:
    with pytest.raises(ValueError, match="not"):
        sequence.parse(text)

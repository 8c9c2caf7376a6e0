"""Money as people write it."""

from __future__ import annotations

import pytest

from clickstream.money import money


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [
        (15_000_000, "EUR", "150,000.00 EUR"),
        (0, "EUR", "0.00 EUR"),
        (-5, "USD", "-0.05 USD"),
        (1_000, "JPY", "1,000 JPY"),
        (1_234, "KWD", "1.234 KWD"),
        (12_345, "CLF", "1.2345 CLF"),
        (10**27 + 1, "EUR", "10,000,000,000,000,000,000,000,000.01 EUR"),
    ],
)
def test_an_amount_has_the_digits_of_its_currency(minor: int, currency: str, written: str) -> None:
    assert money(minor, currency) == written

"""Amounts in minor units, and the same as people write them. Pure."""

from decimal import Decimal

#: The currencies whose minor unit is not a hundredth: ISO 4217, list one, published 2026-01-01 (tests/unit/iso-4217.csv).
EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"), 0),
    **dict.fromkeys(("PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def exponent(currency: str) -> int:
    """A minor unit is ten to minus this of the major unit; 2 of a code that ISO 4217 does not list."""
    return EXPONENTS.get(currency, 2)


def money(minor: int, currency: str) -> str:
    """``1,234.50 EUR``, with all the digits of the minor unit."""
    return f"{Decimal(minor).scaleb(-exponent(currency)):,f} {currency}"

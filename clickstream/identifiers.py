"""Event ids in the form of UUIDv7, from a time and given bits: the same input is the same id, on any machine."""

#: Bits of a UUIDv7 that are neither time nor version nor variant: 12 after the version, 62 after the variant.
ENTROPY_BITS = 74
_LOW_BITS = 62
_LOW = (1 << _LOW_BITS) - 1
_VERSION_AND_VARIANT = (7 << 76) | (2 << _LOW_BITS)


def uuid7(at_ms: int, entropy: int) -> str:
    """UUIDv7 text of a time (milliseconds since the epoch, below 2**48) and of ``ENTROPY_BITS`` given bits."""
    high, low = entropy >> _LOW_BITS, entropy & _LOW
    text = f"{(at_ms << 80) | (high << 64) | _VERSION_AND_VARIANT | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

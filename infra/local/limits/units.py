"""The units of AWS's limits: bytes."""

KIB = 1024
MIB = KIB * KIB


def utf8_bytes(text: str | bytes) -> int:
    """In UTF-8. A lone surrogate counts as three bytes: whether it may be sent at all is the encoder's matter."""
    if isinstance(text, bytes) or text.isascii():
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))

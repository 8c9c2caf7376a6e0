"""What people read. Text from outside moves no cursor, rings, colours or turns the line round. Pure."""


def shown(text: str) -> str:
    """One line; what is not printable is written as JSON writes it, so JSON stays the same JSON."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def lasting(ms: int) -> str:
    """An interval in the unit in which it is a small number."""
    for unit, length_ms in (("days", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if ms >= 2 * length_ms:
            return f"{ms // length_ms:,} {unit}"
    return f"{ms // 1000} s"


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))

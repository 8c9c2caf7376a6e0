"""Text from outside, as a terminal may see it: nothing of it moves the cursor, rings, colours or turns the line round. Pure."""


def shown(text: str) -> str:
    """One line; what is not printable is written as JSON writes it, so JSON stays the same JSON."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))

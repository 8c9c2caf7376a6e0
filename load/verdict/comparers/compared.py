"""The outcome of one comparison of an application's answers with what must come out. Pure."""

from __future__ import annotations

import msgspec


class Compared(msgspec.Struct, kw_only=True):
    """Counts of what is not as it must be, and sentences that name it; ``figures`` are reported, not judged."""

    lost: int = 0
    """Must be there and is not."""
    duplicated: int = 0
    """Is there more often than it must be, or though it must not."""
    wrong: int = 0
    """Is there, and says something else than it must."""
    late: int = 0
    """Came later than promised; reported, not judged: a busy machine is no fault of the answer."""
    compared: int = 0
    """How many answers were looked at."""
    problems: list[str] = []
    left_out: dict[str, int] = {}
    """Why something was not compared → how many."""
    figures: dict[str, float] = {}

    @property
    def is_exact(self) -> bool:
        return not (self.lost or self.duplicated or self.wrong or self.problems)


def some(names: list[str], most: int = 3) -> str:
    """The first few of many, for a sentence."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")

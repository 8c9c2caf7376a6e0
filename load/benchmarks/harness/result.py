"""What a benchmark came to, and whether its aim is reached: as it is kept in JSON, and as the page and the picture show it."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Literal

import msgspec


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the rounds; ``ratio`` is the median of the rounds' own ratios, ``spread`` their least and greatest.

    A side that came to no figure is None, and ``reasons`` say why. A benchmark that could not even begin has reasons alone.
    """

    ours: float | None = None
    peer: float | None = None
    unit: str = ""
    ratio: float | None = None
    """None also where the divisor is a figure of 0."""
    spread: tuple[float, float] | None = None
    aim: str = ""
    least: float = 0.0
    within: Mapping[str, tuple[float, float]] = {}
    better: Literal["more", "less"] = "more"
    peer_name: str = ""
    what: str = ""
    fairness: str = ""
    clock: Literal["CPU", "wall", ""] = ""
    rounds: int = 0
    load_average: tuple[float, float] = (0.0, 0.0)
    """Of the minute before the first round and before the end."""
    extra: Mapping[str, float] = {}
    """Medians of what else the sides showed, as ``ours <name>`` and ``peer <name>``."""
    reasons: tuple[str, ...] = ()
    """What is missing, and why, a line each."""
    profile: tuple[str, ...] = ()
    """Where our side spends its time, when an aim is missed by work of this process: the dearest functions first."""
    at: str = ""
    """When, at which commit and on what machine."""

    @property
    def margin(self) -> float | None:
        """How many times better than the aim, in the respect that is tightest: 1 and more is reached.

        None when it cannot be told: something that the aim asks about was not measured, and the rest does not miss it.
        """
        known = [
            min(_over(self.extra[name], low), _over(high, self.extra[name]))
            for name, (low, high) in self.within.items()
            if name in self.extra
        ]
        complete = self.ours is not None and len(known) == len(self.within)
        if self.ratio is not None:
            known.append(_over(self.ratio, self.least))
        elif self.least:
            complete = False
        tightest = min(known, default=inf)
        return tightest if complete or tightest < 1 else None

    @property
    def verdict(self) -> Literal["yes", "no", "unknown"]:
        """Whether the aim is reached, in every respect."""
        return "unknown" if self.margin is None else "yes" if self.margin >= 1 else "no"


def _over(value: float, asked: float) -> float:
    return value / asked if asked else inf

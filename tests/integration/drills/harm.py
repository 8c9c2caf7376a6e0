"""What a fault is to the drill: a function that does the harm, says how to repair it and when the clock starts."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from tests.integration.drills.rig.site import Site


def nothing_to_repair() -> None:
    return


class Injected(msgspec.Struct, frozen=True, kw_only=True):
    """Harm done. The shards must move again while it lasts if it needs a ``repair``, which comes after."""

    what: str
    since_ms: int
    """From when on a shard could be expected to move: the harm itself, or the end of an outage that stops everything."""
    repair: Callable[[], None] = nothing_to_repair
    at_least_s: float = 0.0
    """The harm lasts at least so long before it is repaired."""


Fault = Callable[[Site, Random], Injected]

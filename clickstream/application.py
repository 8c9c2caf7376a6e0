"""What an application must provide to be run over a shard.

An application is a pure fold and a sink. The runtime owns everything else: the wire, decoding, dead letters, duplicates, the
order of effect → snapshot → checkpoint, recovery and resharding.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import msgspec

from clickstream.aws import Clients
from clickstream.events import AnyEvent
from clickstream.records.position import Position, guarded_put
from clickstream.records.routing import HashRange
from clickstream.settings import Settings

__all__ = ["Application", "Clients", "Fold", "Inheritance", "Position", "Settings", "Sink", "Wiring", "guarded_put"]


class Inheritance(msgspec.Struct, frozen=True):
    """Says that a state being restored belongs to a parent shard: only keys of ``keys`` move to the child.

    What is kept per shard and not per key (a window's partial, say) stays with the parent, whose rows remain.
    """

    keys: HashRange


class Fold(Protocol):
    """One application's state over one shard. Pure: no clock, no randomness, no I/O; never shared between threads.

    The state after any sequence of ``apply`` calls depends on the events in order alone, never on how they were cut into
    batches or on when the other methods were called: a replay after a crash cuts differently and must meet the same state.
    """

    def apply(self, events: Sequence[AnyEvent]) -> None:
        """Fold events in shard order. They are valid, belong to this shard and are no duplicates."""

    def effects(self, *, flush: bool) -> Sequence[Any]:
        """Absolute values that changed since the last call and that the sink must write; not mutated afterwards.

        With ``flush`` nothing may be held back for a later call (the shard is idle, or is being left).
        """

    def changes(self) -> bytes:
        """What changed in the state since the last call, encoded: ``restore`` of all changes in order is the state."""

    def snapshot(self) -> bytes:
        """The whole state, encoded; replaces all earlier changes."""

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        """Merge what ``snapshot`` or ``changes`` returned into this state; called in the order they were taken."""


class Held(IntEnum):
    """What the effects given out lack of what was folded: nothing, long windows only, or any windows."""

    NOTHING = 0
    HOURS = 1
    MINUTES = 2


def holds_back(fold: Fold) -> Held:
    """A fold whose answers are told to be complete says so."""
    return Held(getattr(fold, "holds_back", Held.NOTHING))


def preview(fold: Fold) -> Sequence[Any]:
    """Effects between two commits: all that are due, or what a fold whose effects are large shows of them until then."""
    shown: Callable[[], Sequence[Any]] | None = getattr(fold, "preview", None)
    return fold.effects(flush=False) if shown is None else shown()


def forgotten(fold: Fold) -> int:
    """How many entries a fold whose state has a bound has forgotten before their time, so far."""
    return int(getattr(fold, "forgotten", 0))


class Sink(Protocol):
    """Writes effects. Runs on a thread of its own, while the fold goes on with the next batch."""

    def write(self, effects: Sequence[Any], position: Position) -> None:
        """Make the effects of everything up to ``position`` durable; idempotent, safe against an older writer.

        Raises RetryLater when the store does not answer; the runtime calls again with the same arguments.
        """


class Application(Protocol):
    """One application, as the runtime runs it; :class:`Wiring` is one."""

    @property
    def name(self) -> str: ...

    def open_fold(self, shard_id: str, /) -> Fold:
        """A fresh fold for a lease; thrown away when the lease is lost."""

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings, /) -> Sink:
        """The sink for a lease."""


class Wiring(NamedTuple):
    """An :class:`Application` of two functions; see ``clickstream.consumers.analytics.wiring``."""

    name: str
    open_fold: Callable[[str], Fold]
    open_sink: Callable[[str, Clients, Settings], Sink]

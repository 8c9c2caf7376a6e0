"""KCL's lease table: one row per shard, every change conditional on the counter that its writer has seen."""

from __future__ import annotations

import msgspec

TRIM_HORIZON = "TRIM_HORIZON"
SHARD_END = "SHARD_END"


class Lease(msgspec.Struct, kw_only=True):
    """``counter`` rises with every write, so an owner that was overtaken is refused."""

    shard_id: str
    parents: tuple[str, ...] = ()
    owner: str | None = None
    counter: int = 0
    checkpoint: str = TRIM_HORIZON
    sub: int = 0
    handoff_to: str | None = None
    """The worker that has asked the owner for this lease."""

    @property
    def ended(self) -> bool:
        return self.checkpoint == SHARD_END

    @property
    def checkpointed(self) -> tuple[int, int]:
        return (int(self.checkpoint), self.sub) if self.checkpoint.isdecimal() else (-1, 0)


class LeaseTable:
    """Each method is one conditional write, carried out at once: False when its condition did not hold."""

    def __init__(self) -> None:
        self.rows: dict[str, Lease] = {}

    def create(self, shard_id: str, parents: tuple[str, ...] = ()) -> None:
        self.rows.setdefault(shard_id, Lease(shard_id=shard_id, parents=parents))

    def parents_ended(self, shard_id: str) -> bool:
        parents = [self.rows[parent] for parent in self.rows[shard_id].parents if parent in self.rows]
        return all(parent.ended for parent in parents)

    def take(self, shard_id: str, owner: str, counter: int) -> bool:
        lease = self.rows[shard_id]
        if lease.counter != counter or lease.ended:
            return False
        lease.owner, lease.handoff_to = owner, None
        lease.counter += 1
        return True

    def renew(self, shard_id: str, owner: str, counter: int) -> bool:
        lease = self.rows[shard_id]
        if lease.owner != owner or lease.counter != counter:
            return False
        lease.counter += 1
        return True

    def checkpoint(self, shard_id: str, owner: str, counter: int, checkpoint: str, sub: int) -> bool:
        if not self.renew(shard_id, owner, counter):
            return False
        self.rows[shard_id].checkpoint, self.rows[shard_id].sub = checkpoint, sub
        return True

    def hand_over(self, shard_id: str, owner: str, counter: int) -> None:
        """The owner lets go, to the worker that asked or to anybody."""
        lease = self.rows[shard_id]
        if self.renew(shard_id, owner, counter):
            lease.owner, lease.handoff_to = lease.handoff_to, None

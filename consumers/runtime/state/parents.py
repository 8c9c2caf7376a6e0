"""A child shard's parents: their last snapshots are needed until every child has a commit of its own, and garbage after it."""

import time
from collections.abc import Callable, Sequence

import structlog

from clickstream.consumers.runtime.state.snapshots import Store
from clickstream.errors import RetryLater
from clickstream.records.routing import Shard

log = structlog.get_logger()

#: How often to ask whether the siblings have come so far.
LOOK_AGAIN_S = 10.0


class Parents:
    """The parents whose snapshots may still be there. ``children_of``: shard id → its children, as Kinesis lists them."""

    def __init__(
        self,
        shard: Shard,
        store: Store,
        children_of: Callable[[str], Sequence[Shard]],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept = list(shard.parents)
        self._store = store
        self._children_of = children_of
        self._monotonic_s = monotonic_s
        self._last_look_s: float | None = None

    def forget(self) -> None:
        """Call it after a commit of the child. Never raises: the shard goes on, and the next call tries again."""
        now_s = self._monotonic_s()
        if not self._kept or (self._last_look_s is not None and now_s - self._last_look_s < LOOK_AGAIN_S):
            return
        self._last_look_s = now_s
        try:
            self._kept = [parent for parent in self._kept if not self._forget(parent)]
        except RetryLater as later:
            log.info("parents' snapshots stay for now", reason=str(later))

    def _forget(self, parent: str) -> bool:
        """Whether nothing is left to do."""
        lease = self._store.look(parent)
        if lease is None:
            return True
        if not _complete(self._children_of(parent), self._store):
            return not lease.manifest.chain
        # also when its manifest is empty: whoever emptied it may have died before the objects were gone
        self._store.forget(parent)
        return True


def _complete(children: Sequence[Shard], store: Store) -> bool:
    """Whether all children of one shard have commits of their own: a split's two, or a merge's one, which has two parents."""
    if len(children) < 2 and not any(len(child.parents) == 2 for child in children):
        return False
    leases = [store.look(child.shard_id) for child in children]
    return all(lease is not None and lease.position is not None for lease in leases)

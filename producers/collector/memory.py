"""A bound on the bytes that requests hold in memory at once, from their first byte to their answer."""

from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """Belongs to one event loop."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0

    @contextmanager
    def lease(self) -> "Iterator[Lease]":
        """A share that can grow, given back at the end of the block."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            self.used -= lease.held


class Lease:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0

    def become(self, size: int) -> bool:
        """Hold this much instead; False, and nothing changed, when there is not so much left."""
        return self.grow(size - self.held)

    def grow(self, size: int) -> bool:
        """False, and nothing taken, when there is not so much left."""
        if self._budget.used + size > self._budget.size:
            return False
        self._budget.used += size
        self.held += size
        return True

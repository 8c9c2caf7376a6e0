"""Injected faults: what AWS does rarely, a test does whenever it needs it.

Faults are values; every operation consults them before and after it runs. Chance comes from a seed.
"""

from __future__ import annotations

from random import Random
from typing import Literal

import msgspec

from clickstream.infra.local.kinesis.model.errors import BY_CODE


class Fail(msgspec.Struct, tag="fail", tag_field="kind", kw_only=True):
    """Fail the next calls of an operation."""

    operation: str
    """``PutRecords`` …, or ``*`` for any."""
    error: str = "InternalFailureException"
    count: int | None = 1
    """How many calls; None: until cleared."""
    when: Literal["before", "after"] = "before"
    """``after``: the call takes effect, then its answer is lost, as in a time-out."""
    rate: float = 1.0
    """Share of the calls that it hits."""


class Throttle(msgspec.Struct, tag="throttle", tag_field="kind", kw_only=True):
    """Refuse writes to (or reads from) one shard with ProvisionedThroughputExceededException."""

    shard_id: str
    stream: str | None = None
    reads: bool = False
    count: int | None = None
    """How many records (writes) or calls (reads)."""
    rate: float = 1.0


class Delay(msgspec.Struct, tag="delay", tag_field="kind", kw_only=True):
    """Answer the next calls of an operation late; they take effect after the delay."""

    operation: str
    delay_ms: int
    count: int | None = 1
    rate: float = 1.0


Fault = Fail | Throttle | Delay


class Faults:
    """The faults in force."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)
        self.active: list[Fault] = []

    def inject(self, fault: Fault) -> None:
        """Put a fault in force; ValueError when it names no error type."""
        if isinstance(fault, Fail) and fault.error not in BY_CODE:
            raise ValueError(f"no such error type: {fault.error}")
        self.active.append(fault)

    def clear(self) -> None:
        self.active.clear()

    def check(self, operation: str, when: Literal["before", "after"]) -> None:
        """Raise the error that a fault injects into this call, if any."""
        for fault in list(self.active):
            if not isinstance(fault, Fail) or fault.when != when or fault.operation not in ("*", operation):
                continue
            if self._hits(fault):
                raise BY_CODE[fault.error](f"Injected: {operation} fails {when} it took effect.")

    def throttles(self, stream: str, shard_id: str, *, reads: bool) -> bool:
        """Whether a record for (or a read of) this shard is refused."""
        return any(
            isinstance(fault, Throttle)
            and fault.reads == reads
            and fault.shard_id == shard_id
            and fault.stream in (None, stream)
            and self._hits(fault)
            for fault in list(self.active)
        )

    def delay_ms(self, operation: str) -> int:
        """How long the caller should wait before it performs this call."""
        return sum(
            fault.delay_ms
            for fault in list(self.active)
            if isinstance(fault, Delay) and fault.operation in ("*", operation) and self._hits(fault)
        )

    def _hits(self, fault: Fault) -> bool:
        if fault.rate < 1.0 and self._random.random() >= fault.rate:
            return False
        if fault.count is not None:
            fault.count -= 1
            if fault.count <= 0:
                self.active.remove(fault)
        return True

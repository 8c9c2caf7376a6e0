"""KCL's own position of a shard: it may lag the last snapshot, and never leads it."""

from __future__ import annotations

from typing import Any

from clickstream.errors import Fenced, RetryLater, Stop
from consumers.runtime.loop.wire import Checkpointer, CheckpointFailed
from consumers.runtime.position import Position


class KclCheckpoint:
    """Follows the durable position, and does not pass what KCL has delivered in this run."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.durable: Position | None = None
        self.delivered: Position | None = None
        self.asked_ms = 0
        """When KCL was last asked to store a position."""
        self._stored: Position | None = None

    def follow(self, checkpointer: Checkpointer, now_ms: int) -> None:
        """Raises Fenced when KCL says that the lease is gone."""
        if self.durable is None or self.delivered is None:
            return
        position = min(self.durable, self.delivered)
        if position == self._stored:
            return
        self.asked_ms = now_ms
        try:
            checkpointer.checkpoint(str(position.sequence), position.sub)
        except CheckpointFailed as failed:
            if failed.lease_is_gone:
                raise Fenced(str(failed)) from failed
            # nothing is lost: the next checkpoint covers it, and a restart drops what the snapshot has
            self._log.warning("checkpoint failed, trying again later", error=failed.error, position=str(position))
        else:
            self._stored = position


def checkpoint_the_end(checkpointer: Checkpointer) -> None:
    """Raises RetryLater, or Fenced when the lease is gone."""
    try:
        checkpointer.checkpoint(None, None)
    except CheckpointFailed as failed:
        raise (Fenced if failed.lease_is_gone else RetryLater)(str(failed)) from failed


def refuse_to_skip(shard_id: str, sequence_number: str | None, sub_sequence_number: int | None, snapshot: Position) -> None:
    """Raises Stop when KCL's checkpoint leads the last snapshot: what lies between would be skipped."""
    if sequence_number is None or not sequence_number.isdecimal():
        return
    checkpoint = Position(int(sequence_number), sub_sequence_number or 0)
    if checkpoint > snapshot:
        raise Stop(
            f"{shard_id}: KCL's checkpoint {checkpoint} leads the last snapshot {snapshot}; "
            "restore the snapshots, or delete the lease table to read the stream again"
        )

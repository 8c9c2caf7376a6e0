"""KCL's own position of a shard: it may lag the last snapshot, and never leads it."""

from collections import deque
from typing import Any

from clickstream.consumers.runtime.loop.opening import Opened
from clickstream.consumers.runtime.loop.wire import Checkpointer, CheckpointFailed
from clickstream.errors import Fenced, RetryLater, Stop
from clickstream.records.position import Position


class KclCheckpoint:
    """Follows the durable position from record to record: KCL knows no lines, and would pass a begun record over whole."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._ends: deque[tuple[Position, Position]] = deque()
        """Of each slice that was folded in this run: where it ends, and that record as KCL knows it."""
        self._whole: Position | None = None
        """The last record of which everything is durable."""
        self.asked_ms = 0
        """When KCL was last asked to store a position."""
        self._stored: Position | None = None

    def folded(self, last: Opened) -> None:
        if (for_kcl := last.for_kcl) is not None:
            self._ends.append((last.end, for_kcl))

    def committed(self, position: Position) -> None:
        while self._ends and self._ends[0][0] <= position:
            self._whole = self._ends.popleft()[1]

    def follow(self, checkpointer: Checkpointer, now_ms: int) -> None:
        """Raises Fenced when KCL says that the lease is gone."""
        position = self._whole
        if position is None or position == self._stored:
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

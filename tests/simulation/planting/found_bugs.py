"""Bugs that the simulator found in the runtime, put back; registered beside the deliberate ones."""

from __future__ import annotations

from functools import partial

import msgspec

from clickstream import events
from clickstream.consumers.runtime.faults.stumbling import Footing, Stage, Stumble
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.consumers.runtime.loop.wire import Checkpointer, CheckpointFailed
from clickstream.consumers.runtime.state.snapshots import Commit, Lease, SnapshotStore
from clickstream.events import AnyEvent
from clickstream.failures.outages import translated
from clickstream.records import blocks
from clickstream.records.position import Position
from tests.simulation.planting.bugs import Replacement, bug


@bug
def late_sweep_takes_the_newer_owners_snapshots() -> list[Replacement]:
    """A zombie sweeps after the owner took a newer epoch, and deletes what its own manifest lacks: the owner's commits."""

    def wrong(self: SnapshotStore, lease: Lease) -> None:
        named = {link.key for link in lease.manifest.chain}
        with translated("S3"):
            every = self._objects.keys(self._prefix(lease.shard_id))
            self._objects.delete(key for key in every if key not in named)

    return [(SnapshotStore, "_sweep", wrong)]


@bug
def repeated_commit_deletes_its_own_snapshot() -> list[Replacement]:
    """The deletion after a full snapshot gets no answer; the commit is called again, and now deletes the new chain."""
    commit_once = SnapshotStore.commit

    def wrong(self: SnapshotStore, lease: Lease, commit: Commit, now_ms: int) -> None:
        old = lease.manifest.chain
        commit_once(self, lease, commit, now_ms)
        if commit.full:
            self._objects.delete(obsolete.key for obsolete in old)

    return [(SnapshotStore, "commit", wrong)]


@bug
def committed_end_is_committed_again() -> list[Replacement]:
    """The owner died between the commit of the end and SHARD_END: the next one is refused, and the children never start."""

    def wrong(self: ShardLoop, checkpointer: Checkpointer) -> None:
        if self._gone.is_set():
            self._leave_if_still_served()
            return
        with self._ours() as owned:
            owned.drain(ended=True, deadline_s=None)
            self.patience.call(partial(_checkpoint_the_end, checkpointer))

    return [(ShardLoop, "shard_ended", wrong)]


def _checkpoint_the_end(checkpointer: Checkpointer) -> None:
    checkpointer.checkpoint(None, None)


@bug
def lost_lease_at_the_end_is_asked_for_ever() -> list[Replacement]:
    """A zombie asks for SHARD_END until it is killed; its daemon waits for it and cannot take the shard again."""
    ended = ShardLoop.shard_ended

    def wrong(self: ShardLoop, checkpointer: Checkpointer) -> None:
        ended(self, _Unavailing(checkpointer))

    return [(ShardLoop, "shard_ended", wrong)]


@bug
def one_count_for_bugs_of_fold_and_sink() -> list[Replacement]:
    """Two bugs that alternate never end a process three times in a row, so neither is set aside."""
    stumbled = Footing.stumbled

    def wrong(self: Footing, stage: Stage, until: Position, traceback: str) -> Stumble:
        told = stumbled(self, stage, until, traceback)
        return msgspec.structs.replace(told, **({"at": "", "times": 0} if stage == "write" else {"writes": 0}))

    return [(Footing, "stumbled", wrong)]


class _Unavailing:
    """Hides that the lease is gone behind an error that passes."""

    def __init__(self, checkpointer: Checkpointer) -> None:
        self._checkpointer = checkpointer

    def checkpoint(self, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        try:
            self._checkpointer.checkpoint(sequence_number, sub_sequence_number)
        except CheckpointFailed as failed:
            raise CheckpointFailed("ThrottlingException") from failed


@bug
def fenced_owner_stands_still_for_ever() -> list[Replacement]:
    """A zombie takes its epoch after the owner; the owner waits for the loss of a lease that it still has."""

    def wrong(self: ShardLoop) -> None:
        return None

    return [(ShardLoop, "_leave_if_still_served", wrong)]


@bug
def two_documents_taken_for_two_lines() -> list[Replacement]:
    """As many events as lines, but two share one and one has two: no letter tells of it, and a replay line by line differs."""

    def wrong(text: bytes) -> list[AnyEvent] | None:
        try:
            found: list[AnyEvent] = events._decoder.decode_lines(text)
        except (msgspec.MsgspecError, ValueError):
            return None
        return found if len(found) == len(text.removesuffix(b"\n").split(b"\n")) else None

    return [(events, "decode_lines", wrong)]


@bug
def broken_aggregate_cut_into_lines() -> list[Replacement]:
    """A KPL aggregate with a bad checksum has line feeds in it, and is taken for NDJSON."""

    def wrong(data: bytes) -> bool:
        return b"\n" in data or blocks.is_compressed(data)

    return [(blocks, "holds_several", wrong)]

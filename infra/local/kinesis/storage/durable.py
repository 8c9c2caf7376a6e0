"""Durability: what was acknowledged survives kill -9.

Every change is appended to a log before its call is answered; calls that arrive while the disk is busy share the next fsync
(group commit). Readers may see a record a moment before it is durable, while its writer has no answer yet.
"""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path

from clickstream.errors import UserMistake
from clickstream.infra.local.kinesis.model.log import Record
from clickstream.infra.local.kinesis.model.shards import ShardGraph
from clickstream.infra.local.kinesis.model.streams import Stream
from clickstream.infra.local.kinesis.regions import Regions
from clickstream.infra.local.kinesis.storage.segments import Appended, Changed, Entry, Removed, Segment, ShardKey, encode
from clickstream.infra.local.limits.units import MIB

SEGMENT_BYTES = 64 * MIB
#: Counters left out after a restart: a reader may hold the position of a record that was never durable, and that position must
#: not be taken by another record.
RESTART_GAP = 1_000_000


class DurableJournal:
    """A :class:`~clickstream.infra.local.kinesis.model.journal.Journal` in a folder. One process at a time."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise UserMistake(f"{folder} is in use by another server") from None
        self._segments = [Segment(path) for path in sorted(folder.glob("*.log"))]
        self._regions: Regions | None = None
        self._frames: list[bytes] = []
        self._records: list[Appended] = []
        self._commit: asyncio.Task[None] | None = None
        self._in_commit = 0
        """Frames on their way to the disk."""
        self._durable = 0
        """Frames on the disk."""

    def restore(self, regions: Regions, now_ms: int) -> int:
        """Fill the models from the log, and journal them from now on; the number of records restored."""
        restored = 0
        for segment in self._segments:
            for entry in segment.read(is_last=segment is self._segments[-1]):
                restored += _apply(regions, entry)
        for stream in regions.streams():
            for index, log in stream.logs.items():
                if stream.graph.shards[index].is_open:
                    log.next_counter += RESTART_GAP
                log.trim(stream.horizon_ms(now_ms), regions.settings.retention_bytes)
        self._regions = regions
        # a new segment, so that a torn opening of the last one is never needed
        following = self._following()
        following.append(self._opening())
        self._segments.append(following)
        self._drop_unneeded()
        return restored

    def appended(self, stream: Stream, records: list[tuple[int, Record]]) -> None:
        entry = Appended(_region(stream), stream.state.name, stream.state.created_ms, records)
        self._records.append(entry)
        self._frames.append(encode(entry))

    def changed(self, stream: Stream) -> None:
        self._frames.append(encode(Changed(_region(stream), stream.snapshot())))

    def removed(self, stream: Stream) -> None:
        self._frames.append(encode(Removed(_region(stream), stream.state.name)))

    async def flush(self) -> None:
        """Return once all changes so far are on the disk. OSError: they are not, and no later change will be."""
        target = self._durable + self._in_commit + len(self._frames)
        while self._durable < target:
            if self._commit is None or self._commit.done():
                if self._commit is not None:
                    self._commit.result()  # raises the first failure again, for ever
                self._commit = asyncio.create_task(self._write())
            await asyncio.shield(self._commit)

    def close(self) -> None:
        """Release the folder. Everything acknowledged is on the disk already."""
        self._lock.close()

    async def _write(self) -> None:
        frames, records = self._frames, self._records
        self._frames, self._records = [], []
        self._in_commit = len(frames)
        segment = self._segments[-1]
        for entry in records:
            segment.note(entry)
        data = b"".join(frames)
        following, opening = None, b""
        if segment.size + len(data) > self._segment_bytes:
            # taken at the same instant as the frames: the state after them
            following, opening = self._following(), self._opening()
        await asyncio.to_thread(segment.append, data)
        self._durable, self._in_commit = self._durable + self._in_commit, 0
        if following is not None:
            await asyncio.to_thread(following.append, opening)
            self._segments.append(following)
            self._drop_unneeded()

    def _opening(self) -> bytes:
        streams = self._regions.streams() if self._regions else []
        return b"".join(encode(Changed(_region(stream), stream.snapshot())) for stream in streams)

    def _drop_unneeded(self) -> None:
        oldest: dict[ShardKey, int] = {
            (_region(stream), stream.state.name, stream.state.created_ms, index): log.first_counter
            for stream in (self._regions.streams() if self._regions else [])
            for index, log in stream.logs.items()
        }
        while len(self._segments) > 1 and not any(
            counter >= oldest[key] for key, counter in self._segments[0].newest.items() if key in oldest
        ):
            self._segments.pop(0).path.unlink()

    def _following(self) -> Segment:
        number = int(self._segments[-1].path.stem) + 1 if self._segments else 0
        return Segment(self._folder / f"{number:08d}.log")


def _region(stream: Stream) -> str:
    return stream.state.arn.split(":")[3]


def _apply(regions: Regions, entry: Entry) -> int:
    """Apply one entry; the number of records that it restored."""
    streams = regions.kinesis(entry.region).streams
    match entry:
        case Changed(state=state):
            known = streams.get(state.name)
            if known is None or known.state.created_ms != state.created_ms:
                streams[state.name] = Stream(state)
                return 0
            known.state = state
            known.graph = ShardGraph(state.shards, state.next_shard_index)
            known.open_logs()
            return 0
        case Removed(stream=name):
            streams.pop(name, None)
            return 0
        case Appended(stream=name, records=records):
            stream = streams[name]
            for index, record in records:
                if record.counter >= stream.logs[index].next_counter:
                    stream.logs[index].restore(record)
            return len(records)

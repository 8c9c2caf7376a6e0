"""The MultiLangDaemon protocol: JSON lines between KCL's Java daemon and one Python process per shard.

The daemon asks, we answer; one request is in flight at any time, and a checkpoint can only be asked for while the daemon waits
for our status. msgspec decodes a whole batch, base64 included, straight into structs: that is where the speed over the stock
loop comes from (see docs/reference/benchmarks.md, ids ``pipe`` and ``decode``).
"""

import fcntl
import os
import select
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache, partial
from typing import Any, Protocol

import msgspec

from clickstream.errors import ClickstreamError

#: What is asked for at once, and as much as the pipe may hold.
CHUNK_BYTES = 1 << 20
#: How long the writer may be silent before the reader gets its turn all the same.
IDLE_MS = 100
#: No message is as short as this.
_SHORTEST = 16


class Record(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What KCL hands on: a record, whose data may hold many events, or a member of a KPL aggregate."""

    data: bytes
    partition_key: str | None
    """None of an event that shares its record with others: the user is its key."""
    sequence_number: str
    sub_sequence_number: int
    approximate_arrival_timestamp: int
    """Milliseconds since the epoch, by Kinesis's clock."""


class Initialize(msgspec.Struct, frozen=True, tag_field="action", tag="initialize", rename="camel"):
    """The lease of ``shard_id`` is ours. ``sequence_number`` is KCL's checkpoint: a number, or TRIM_HORIZON and its like."""

    shard_id: str
    sequence_number: str | None = None
    sub_sequence_number: int | None = None


class ProcessRecords(msgspec.Struct, frozen=True, tag_field="action", tag="processRecords", rename="camel"):
    records: list[Record]
    millis_behind_latest: int | None = None


class CheckpointReply(msgspec.Struct, frozen=True, tag_field="action", tag="checkpoint", rename="camel"):
    error: str | None = None


class LeaseLost(msgspec.Struct, frozen=True, tag_field="action", tag="leaseLost"):
    pass


class ShardEnded(msgspec.Struct, frozen=True, tag_field="action", tag="shardEnded"):
    pass


class ShutdownRequested(msgspec.Struct, frozen=True, tag_field="action", tag="shutdownRequested"):
    pass


Message = Initialize | ProcessRecords | CheckpointReply | LeaseLost | ShardEnded | ShutdownRequested


class ProtocolError(ClickstreamError):
    """The daemon sent what the protocol does not allow here; the process must end."""


class CheckpointFailed(ClickstreamError):
    """KCL refused or could not store a checkpoint; ``error`` is the Java exception's simple name."""

    def __init__(self, error: str) -> None:
        super().__init__(f"KCL did not checkpoint: {error}")
        self.error = error

    @property
    def lease_is_gone(self) -> bool:
        """True when trying again is pointless: another worker has the shard."""
        return self.error in ("ShutdownException", "InvalidStateException")


class Checkpointer(Protocol):
    """Stores KCL's own position of a shard. Valid only inside the call that it was passed to."""

    def checkpoint(self, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        """Up to and with this user record; (None, None) at the end of a shard means SHARD_END. Raises CheckpointFailed."""


class ShardProcessor(Protocol):
    """What the daemon asks of one shard's process. An exception ends the process: KCL delivers again, nothing is skipped."""

    def initialize(self, shard_id: str, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        """Called once, first."""

    def process_records(self, batch: ProcessRecords, checkpointer: Checkpointer, acknowledge: Callable[[], None]) -> None:
        """A batch in shard order, possibly empty (the idle tick).

        Calling ``acknowledge`` lets the daemon encode the next batch while this one is processed; after it no checkpoint can
        be asked for in this call. An acknowledged batch is not a checkpointed one, so a crash before a later checkpoint
        delivers it again. Returning acknowledges too.
        """

    def idle(self) -> None:
        """Nothing has come for a moment, and nothing may be asked of the daemon: time for what was left for later.

        KCL's own idle tick comes only as often as it reads, with enhanced fan-out every five seconds.
        """

    def lease_lost(self) -> None:
        """Another worker has the shard: write nothing any more."""

    def shard_ended(self, checkpointer: Checkpointer) -> None:
        """A closed shard was read to its end; it must be checkpointed before its children are read."""

    def shutdown_requested(self, checkpointer: Checkpointer) -> None:
        """The worker is being stopped: finish and checkpoint."""


class Lines:
    """Reads a pipe's lines, of any length, one at a time and in place.

    Nothing is copied between kernel and decoder, which saves a third of a child's time.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._buffer = bytearray(2 * CHUNK_BYTES)
        self._start = self._stop = 0
        self._given = memoryview(b"")

    def next(self, idle: Callable[[], None] | None) -> memoryview | None:
        """A line with its end, valid until the next call; None when the pipe is closed.

        ``idle`` is called whenever nothing came for IDLE_MS.
        """
        self._given.release()
        searched = self._start
        while (end := self._buffer.find(b"\n", searched, self._stop)) < 0:
            while idle is not None and not self._poll.poll(IDLE_MS):
                if self._start == self._stop and len(self._buffer) > 2 * CHUNK_BYTES:
                    # one batch of a backlog may be a line of 13 MiB: its room is not kept
                    self._buffer, self._start, self._stop, searched = bytearray(2 * CHUNK_BYTES), 0, 0, 0
                idle()
            came = self._stop - self._start
            self._make_room()
            searched = self._start + came
            with memoryview(self._buffer) as whole:
                read = os.readv(self._fd, [whole[self._stop :]])
            if not read:
                return None
            self._stop += read
        self._given = memoryview(self._buffer)[self._start : end + 1]
        self._start = end + 1
        return self._given

    def _make_room(self) -> None:
        """For a chunk at least, after what was read of the line and not given out yet."""
        if self._start:
            rest = self._buffer[self._start : self._stop]
            self._buffer[: len(rest)] = rest
            self._start, self._stop = 0, len(rest)
        if len(self._buffer) - self._stop < CHUNK_BYTES:
            self._buffer.extend(bytes(len(self._buffer)))


class Wire:
    """One daemon's end of the protocol over two file descriptors."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        for fd in (read_fd, write_fd):
            _enlarge_pipe(fd)
        self._lines = Lines(read_fd)
        self._write_fd = write_fd
        self._decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)

    def receive(self, idle: Callable[[], None] | None = None) -> Message | None:
        """The next message, or None when the daemon is gone. ``idle`` is called whenever nothing came for a moment."""
        while (line := self._lines.next(idle)) is not None:
            if line.nbytes < _SHORTEST and bytes(line).isspace():
                continue
            try:
                return self._decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise ProtocolError(f"not a message of the MultiLangDaemon: {error}") from error
        return None

    def send(self, message: dict[str, object]) -> None:
        # the leading line feed ends whatever a library may have written to the same pipe before us
        data = b"\n" + msgspec.json.encode(message) + b"\n"
        while data:
            data = data[os.write(self._write_fd, data) :]

    def checkpoint(self, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        self.send({"action": "checkpoint", "sequenceNumber": sequence_number, "subSequenceNumber": sub_sequence_number})
        match self.receive():
            case CheckpointReply(error=None):
                return
            case CheckpointReply(error=str(error)):
                raise CheckpointFailed(error)
            case other:
                raise ProtocolError(f"a checkpoint was answered by {type(other).__name__}")


def serve(wire: Wire, processor: ShardProcessor, watched: Callable[[str], AbstractContextManager[Any]] = nullcontext) -> None:
    """Answer the daemon until it closes the pipe. Each piece of the processor's work runs inside ``watched(NAME)``."""

    def idle() -> None:
        with watched("idle"):
            processor.idle()

    while (message := wire.receive(idle)) is not None:
        action = str(message.__struct_config__.tag)
        if isinstance(message, ProcessRecords):
            acknowledge = cache(partial(wire.send, {"action": "status", "responseFor": action}))  # sent at the first call
            with watched(action):
                processor.process_records(message, wire, acknowledge)
            acknowledge()
            continue
        with watched(action):
            match message:
                case Initialize():
                    processor.initialize(message.shard_id, message.sequence_number, message.sub_sequence_number)
                case LeaseLost():
                    processor.lease_lost()
                case ShardEnded():
                    processor.shard_ended(wire)
                case ShutdownRequested():
                    processor.shutdown_requested(wire)
                case CheckpointReply():
                    raise ProtocolError("a checkpoint reply that nobody asked for")
        wire.send({"action": "status", "responseFor": action})


def _enlarge_pipe(fd: int) -> None:
    # the daemon writes a whole batch as one line, up to tens of MB: a larger pipe saves context switches
    set_size = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux only
    if set_size is not None:
        with suppress(OSError):  # a file or a socket, or over the user's limit: slower, not wrong
            fcntl.fcntl(fd, set_size, CHUNK_BYTES)

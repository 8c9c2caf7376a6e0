"""Records into state, with a letter for each that does not get there: no event, or set aside because a bug of ours met it."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from clickstream.application import preview
from clickstream.consumers.runtime.faults.dead_letters import Letters, without_values
from clickstream.consumers.runtime.faults.stumbling import TIMES, Footing, Stage, Stumble, refuse_to_drain
from clickstream.consumers.runtime.loop.decoding import Rejection
from clickstream.consumers.runtime.loop.opening import Opened, one_by_one, position_of, slices
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.errors import ClickstreamError
from clickstream.records.position import Position


class Folding:
    """One shard's fold, watched. ``remember`` puts a stumble where the next process finds it."""

    def __init__(
        self,
        state: ShardState,
        footing: Footing,
        letters: Letters,
        *,
        slice_bytes: int,
        remember: Callable[[Stumble], None],
    ) -> None:
        self._state = state
        self._footing = footing
        self._letters = letters
        self._log = letters.log
        self._slice_bytes = slice_bytes
        self._remember = remember

    def parts(self, records: Sequence[Record]) -> Iterator[Sequence[Opened]]:
        """What to ``fold`` next: slice by slice, or event by event near a place where a bug ended a process.

        Whoever asks for the next part says that nothing was wrong with the one before.
        """
        for part in slices(records, self._state.position, self._slice_bytes):
            if not self._footing.careful(part[0].start):
                yield part
                continue
            for event in one_by_one(part):
                yield [event]
                if self._footing.at:
                    self._footing.good()

    def fold(self, part: Sequence[Opened]) -> int:
        """How many events it had."""
        return self._alone(part[0]) if self._footing.careful(part[-1].end) else self._fold(part)

    def effects(self, *, flush: bool) -> Sequence[Any]:
        with self._blaming("encode"):
            return self._state.fold.effects(flush=flush)

    def preview(self) -> Sequence[Any]:
        with self._blaming("encode"):
            return preview(self._state.fold)

    def encoded(self, *, full: bool) -> bytes:
        """The whole state, or what changed in it."""
        with self._blaming("encode"):
            return self._state.snapshot() if full else self._state.changes()

    def stumbled(self, stage: Stage, bug: Exception, until: Position | None = None) -> None:
        """Tell the next process of a bug that is about to end this one."""
        trace = "".join(traceback.format_exception(bug))
        position = self._state.position
        if stage != "write" and self._footing.drains:
            # a later version may be able to fold it; until it is deployed the worker's other shards go on
            self._log.error("a bug in the fold, once more", traceback=trace, position=str(position))
            self._letters.patience.call(lambda: refuse_to_drain("records", "fold:apply", self._letters.application, bug))
        try:
            self._remember(self._footing.stumbled(stage, until or position, trace))
        except ClickstreamError as error:
            self._log.warning("the next process will not know of this bug", error=str(error))

    def _alone(self, event: Opened) -> int:
        position = event.end
        if self._footing.must_be_set_aside(position):
            assert self._footing.last is not None
            content = _content(event.record, f"ended the process {TIMES} times", "$")
            [letter] = self._letters.send([{**content, "traceback": self._footing.last.traceback}])
            self._log.error("an event is set aside", reason=letter.reason, position=letter.position)
            self._footing.set_aside(position)
        elif not self._footing.is_set_aside(position):
            self._footing.at = str(position)
            return self._fold([event])
        self._state.set_aside(event)
        return 1

    def _fold(self, part: Sequence[Opened]) -> int:
        forgotten_before = self._state.forgotten_ids
        with self._blaming("fold", part[-1].end):
            found = self._state.apply(part)
        if (forgotten := self._state.forgotten_ids) != forgotten_before:
            self._log.warning("more event ids than fit: some are forgotten before their time", so_far=forgotten)
        self._send(found.rejections)
        return len(found.events) + len(found.rejections)

    def _send(self, rejections: Sequence[Rejection]) -> None:
        if not rejections:
            return
        letters = self._letters.send([_content(each.record, each.error.reason, each.error.path) for each in rejections])
        reason = without_values(letters[0].reason)
        self._log.warning("dead letters", count=len(letters), reason=reason, position=letters[0].position)

    @contextmanager
    def _blaming(self, stage: Stage, until: Position | None = None) -> Iterator[None]:
        try:
            yield
        except ClickstreamError:
            raise
        except Exception as bug:
            self.stumbled(stage, bug, until)
            raise


def _content(record: Record, reason: str, path: str) -> dict[str, Any]:
    """Of a letter."""
    return {
        "position": position_of(record),
        "partition_key": record.partition_key or "",
        "arrived_ms": record.approximate_arrival_timestamp,
        "reason": reason,
        "path": path,
        "data": record.data,
    }

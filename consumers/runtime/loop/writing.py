"""Effects on their way to the sink: what a store will never take becomes a dead letter, and all others are written."""

import traceback
from collections.abc import Callable, Sequence
from typing import Any

from clickstream.application import Sink
from clickstream.consumers.runtime.faults.dead_letters import Letters, without_values
from clickstream.consumers.runtime.faults.stumbling import MOST_IN_A_ROW, MOST_TRACEBACK, TIMES, Footing, refuse_to_drain
from clickstream.errors import ClickstreamError, Unwritable
from clickstream.records.position import Position


class SinkBroke(Exception):
    """A bug in a sink: the exception that it raised."""

    def __init__(self, bug: Exception) -> None:
        super().__init__(f"{type(bug).__name__} in the sink")
        self.bug = bug


class Writing:
    """One shard's sink, called again until everything is written or set aside."""

    def __init__(self, sink: Sink, footing: Footing, letters: Letters, now_ms: Callable[[], int]) -> None:
        self._sink = sink
        self._footing = footing
        self._letters = letters
        self._patience = letters.patience
        self._now_ms = now_ms
        self._broke_in_a_row = 0

    def write(self, effects: Sequence[Any], position: Position) -> None:
        """Raises Fenced and other Stops, and SinkBroke: a bug in the sink, until it has ended the process three times."""
        try:
            self._patience.call(lambda: self._try(effects, position))
        except (Unwritable, SinkBroke) as failure:
            if isinstance(failure, SinkBroke) and not self._footing.gives_up_effects:
                raise
            # one of them: which one is found by writing each alone, which does no harm
            for effect in effects:
                self._patience.call(lambda: self._alone(effect, position))  # noqa: B023  # called before the next one

    def _alone(self, effect: Any, position: Position) -> None:
        try:
            self._try([effect], position)
        except Unwritable as refused:
            self._set_aside(effect, position, refused.reason, None)
        except SinkBroke as broke:
            if not self._footing.gives_up_effects:
                raise
            if self._broke_in_a_row >= MOST_IN_A_ROW:
                refuse_to_drain("effects", "sink:write", self._letters.application, broke.bug)
            self._broke_in_a_row += 1
            trace = "".join(traceback.format_exception(broke.bug))[-MOST_TRACEBACK:]
            self._set_aside(effect, position, f"{broke}, as {TIMES} times before", trace)
        else:
            self._broke_in_a_row = 0

    def _try(self, effects: Sequence[Any], position: Position) -> None:
        try:
            self._sink.write(effects, position)
        except ClickstreamError:
            raise
        except Exception as bug:
            raise SinkBroke(bug) from bug

    def _set_aside(self, effect: Any, position: Position, reason: str, trace: str | None) -> None:
        content = {"position": position, "arrived_ms": self._now_ms(), "reason": reason, "effect": effect, "traceback": trace}
        [letter] = self._letters.send([content])
        self._letters.log.error(
            "an effect will never be written: dead-lettered",
            position=letter.position,
            event_id=letter.event_id,
            reason=without_values(reason),
        )

"""Effects on their way to the sink: what a store will never take becomes a dead letter, and all others are written."""

import traceback
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from clickstream.application import Sink
from clickstream.consumers.runtime.faults.dead_letters import DeadLetters, dead_letter, without_values
from clickstream.consumers.runtime.faults.patience import Patience
from clickstream.consumers.runtime.faults.stumbling import MOST_IN_A_ROW, MOST_TRACEBACK, TIMES, Footing, refuse_to_drain
from clickstream.errors import ClickstreamError, Unwritable
from clickstream.records.position import Position


class SinkBroke(Exception):
    """A bug in a sink; its cause is the exception that the sink raised."""


class Writing:
    """One shard's sink, called again until everything is written or set aside."""

    def __init__(
        self,
        sink: Sink,
        dead_letters: DeadLetters,
        patience: Patience,
        footing: Footing,
        *,
        application: str,
        shard: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._sink = sink
        self._dead_letters = dead_letters
        self._patience = patience
        self._footing = footing
        self._application = application
        self._shard = shard
        self._now_ms = now_ms
        self._broke_in_a_row = 0

    def write(self, effects: Sequence[Any], position: Position) -> None:
        """Raises Fenced and other Stops, and SinkBroke: a bug in the sink, until it has ended the process three times."""
        try:
            self._patience.call(lambda: self._sink.write(effects, position))
        except Unwritable:
            pass  # one of them: which one is found by writing each alone, which does no harm
        except ClickstreamError:
            raise
        except Exception as bug:
            if not self._footing.gives_up_effects:
                raise SinkBroke(f"{type(bug).__name__} in the sink") from bug
        else:
            return
        for effect in effects:
            self._patience.call(lambda: self._alone(effect, position))  # noqa: B023  # called before the next one

    def _alone(self, effect: Any, position: Position) -> None:
        try:
            self._sink.write([effect], position)
        except Unwritable as refused:
            self._set_aside(effect, position, refused.reason, None)
        except ClickstreamError:
            raise
        except Exception as bug:
            if not self._footing.gives_up_effects:
                raise SinkBroke(f"{type(bug).__name__} in the sink") from bug
            if self._broke_in_a_row >= MOST_IN_A_ROW:
                refuse_to_drain("effects", "sink:write", self._application, bug)
            self._broke_in_a_row += 1
            trace = traceback.format_exc()[-MOST_TRACEBACK:]
            self._set_aside(effect, position, f"{type(bug).__name__} in the sink, as {TIMES} times before", trace)
        else:
            self._broke_in_a_row = 0

    def _set_aside(self, effect: Any, position: Position, reason: str, trace: str | None) -> None:
        letter = dead_letter(
            application=self._application,
            shard=self._shard,
            position=position,
            arrived_ms=self._now_ms(),
            reason=reason,
            effect=effect,
            traceback=trace,
        )
        self._patience.call(lambda: self._dead_letters.send([letter]))
        structlog.get_logger().error(
            "an effect will never be written: dead-lettered",
            application=self._application,
            shard=self._shard,
            position=letter.position,
            event_id=letter.event_id,
            reason=without_values(reason),
        )

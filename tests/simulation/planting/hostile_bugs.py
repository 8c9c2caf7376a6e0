"""Deliberate bugs of code that trusts too much: AWS's refusals, clocks, its own code, or clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clickstream.consumers.runtime.faults.dead_letters import DeadLetter, DeadLetterQueue
from clickstream.consumers.runtime.faults.patience import Patience
from clickstream.consumers.runtime.faults.stumbling import TIMES, Footing
from clickstream.consumers.runtime.loop import duplicates
from clickstream.consumers.runtime.loop.folding import Folding
from clickstream.consumers.runtime.loop.owned_lease import Clocks
from clickstream.consumers.runtime.loop.writing import Writing
from clickstream.errors import ClickstreamError, Forbidden, Rejected, RetryLater, Stop, Unwritable
from clickstream.failures import refusals
from clickstream.load.simulation.aws.stores import S3
from clickstream.producers.publisher.puts import CallFailed, Put
from clickstream.producers.publisher.rules import Publisher
from clickstream.records.position import Position
from tests.simulation.planting.bugs import Replacement, bug


def _taken_for(kind: type[ClickstreamError], other: type[ClickstreamError]) -> list[Replacement]:
    kind_of = refusals.kind_of

    def wrong(code: str) -> type[ClickstreamError] | None:
        found = kind_of(code)
        return other if found is kind else found

    return [(refusals, "kind_of", wrong)]


@bug
def forbidden_taken_for_final() -> list[Replacement]:
    """While a permission is missing, every effect becomes a dead letter."""
    return _taken_for(Forbidden, Unwritable)


@bug
def final_taken_for_an_outage() -> list[Replacement]:
    """An item that the store will never accept is retried for ever."""
    return _taken_for(Unwritable, RetryLater)


@bug
def forbidden_not_waited_for() -> list[Replacement]:
    """A missing permission ends the shard's process."""
    call = Patience.call

    def wrong(self: Patience, action: Any) -> Any:
        def once() -> Any:
            try:
                return action()
            except Forbidden as error:
                raise Stop(f"not allowed: {error}") from error

        return call(self, once)

    return [(Patience, "call", wrong)]


@bug
def forbidden_read_taken_for_a_missing_object() -> list[Replacement]:
    """A snapshot that is forbidden for a moment counts as lost."""
    get_object = S3.get_object

    def wrong(self: S3, **request: Any) -> Any:
        try:
            return get_object(self, **request)
        except self.exceptions.NoSuchKey:
            raise
        except Exception as error:
            if refusals.kind_of(str(getattr(error, "response", {}).get("Error", {}).get("Code"))) is Forbidden:
                raise self.exceptions.NoSuchKey(request["Key"]) from error
            raise

    return [(S3, "get_object", wrong)]


@bug
def refused_effect_takes_its_call_along() -> list[Replacement]:
    """The other effects of a call are not written when one of them is refused."""

    def wrong(self: Writing, effects: Sequence[Any], position: Position) -> None:
        try:
            self._patience.call(lambda: self._sink.write(effects, position))
        except Unwritable as refused:
            self._set_aside(effects[-1], position, refused.reason, None)

    return [(Writing, "write", wrong)]


@bug
def refused_effect_without_a_letter() -> list[Replacement]:
    """A refused effect is logged and dropped."""

    def wrong(self: Writing, effect: Any, position: Position, reason: str, trace: str | None) -> None:
        return None

    return [(Writing, "_set_aside", wrong)]


@bug
def refused_effects_letter_comes_later() -> list[Replacement]:
    """The letter of a refused effect waits for the next write: a crash in between loses it."""
    write, set_aside = Writing.write, Writing._set_aside
    kept: dict[Writing, list[tuple[Any, ...]]] = {}

    def wrong_write(self: Writing, effects: Sequence[Any], position: Position) -> None:
        for arguments in kept.pop(self, []):
            set_aside(self, *arguments)
        write(self, effects, position)

    def wrong_set_aside(self: Writing, *arguments: Any) -> None:
        kept.setdefault(self, []).append(arguments)

    return [(Writing, "write", wrong_write), (Writing, "_set_aside", wrong_set_aside)]


@bug
def poison_never_set_aside() -> list[Replacement]:
    """A record that meets a bug of the fold ends one process after another."""

    def wrong(self: Footing, position: Position) -> bool:
        return False

    return [(Footing, "must_be_set_aside", wrong)]


@bug
def poisons_neighbour_set_aside() -> list[Replacement]:
    """After the third end, the first record of the batch is set aside, whether it is the culprit or not."""

    def wrong(self: Footing, position: Position) -> bool:
        return self.last is not None and self.last.times >= TIMES and self.careful(position)

    return [(Footing, "must_be_set_aside", wrong)]


@bug
def poison_skipped_without_a_letter() -> list[Replacement]:
    """A record that is set aside leaves no dead letter."""
    send = DeadLetterQueue.send

    def wrong(self: DeadLetterQueue, letters: Sequence[DeadLetter]) -> None:
        send(self, [letter for letter in letters if letter.traceback is None or letter.effect is not None])

    return [(DeadLetterQueue, "send", wrong)]


@bug
def rubbish_stops_the_shard() -> list[Replacement]:
    """Two rejected records in a batch are taken for a bad deployment."""
    send = Folding._send

    def wrong(self: Folding, rejections: Sequence[Any]) -> None:
        if len(rejections) > 1:
            raise Stop(f"{len(rejections)} records were rejected")
        send(self, rejections)

    return [(Folding, "_send", wrong)]


@bug
def intervals_by_the_wall_clock() -> list[Replacement]:
    """A clock that is set back by an hour stops commits and heartbeats for an hour."""

    def wrong(self: Clocks) -> int:
        return self.wall_ms()

    return [(Clocks, "interval_ms", wrong)]


@bug
def duplicates_by_the_id_alone() -> list[Replacement]:
    """A client that uses another user's event id first makes that user's event disappear."""

    def wrong(seen: dict[str, str], event_id: str, user_id: str) -> bool:
        return event_id in seen

    return [(duplicates, "_holds", wrong)]


@bug
def forbidden_put_is_rejected() -> list[Replacement]:
    """A put that is forbidden for a moment is given up for good."""
    failed = Publisher._on_call_failed

    def wrong(self: Publisher, put: Put, failure: CallFailed) -> Any:
        if isinstance(failure.error, Forbidden):
            failure = CallFailed(Rejected(str(failure.error)))
        return failed(self, put, failure)

    return [(Publisher, "_on_call_failed", wrong)]

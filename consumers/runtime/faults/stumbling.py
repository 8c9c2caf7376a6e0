"""A bug of ours that one record sets off: it ends the shard's process, and at the third time the record is set aside. Pure.

The record is found by going over the same ground with care. What is remembered between two processes is a :class:`Stumble`, in
the shard's item; see docs/decisions/0026 for how a replay stays the same.
"""

from typing import Literal, NoReturn

import msgspec

from clickstream.errors import Forbidden
from clickstream.records.position import Position

#: So often the same record, or the writing of the same effects, may end the process.
TIMES = 3
#: So many records in a row are set aside; more are a fault of the deployment, and are not drained into a queue.
MOST_IN_A_ROW = 10
#: Of a traceback: the innermost frames are at its end.
MOST_TRACEBACK = 4_000

#: The exit status of a shard's process whose bug is remembered, and of its zygote. It does not speak against the worker: the
#: next processes find the record and set it aside.
EXIT_REMEMBERED = 65

Stage = Literal["fold", "encode", "write"]
"""In the fold; in what it says of itself afterwards, its effects and its state; in the sink."""


class Stumble(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bug ended the process; positions as text, whose order is theirs."""

    stage: Stage
    until: str
    """The last record that was in work: up to it every record is folded alone."""
    at: str = ""
    """The record, once it is known."""
    times: int = 1
    writes: int = 0
    """So often the sink broke on this ground. Counted by itself: a fold that breaks in between must not begin it anew."""
    traceback: str = ""
    aside: tuple[str, ...] = ()
    """Set aside since the last commit that had passed ``until``."""
    in_a_row: int = 0
    """So many were set aside with no good record in between."""


class Footing:
    """How carefully a shard goes, by where it stumbled last. The commits' thread reads it too."""

    def __init__(self, last: Stumble | None = None) -> None:
        self.last = last
        #: The record that is being folded alone, if any.
        self.at = ""
        #: The record that was set aside just now, if any.
        self.passed = ""

    def careful(self, position: Position) -> bool:
        """Whether the record at ``position`` is to be folded alone."""
        return self.last is not None and str(position) <= self.last.until

    @property
    def commits_each(self) -> bool:
        """After a record is set aside, so that the next bug finds the shard moved; and where only what a record has left behind
        shows that it was the one."""
        last = self.last
        return last is not None and (last.stage == "encode" or (last.aside != () and last.aside[-1] == self.passed))

    @property
    def gives_up_effects(self) -> bool:
        return self.last is not None and self.last.writes >= TIMES

    @property
    def drains(self) -> bool:
        """Setting one more record aside would drain the stream: it is tried again, and waited for, instead."""
        return self.last is not None and self.last.in_a_row >= MOST_IN_A_ROW

    def is_set_aside(self, position: Position) -> bool:
        return self.last is not None and str(position) in self.last.aside

    def must_be_set_aside(self, position: Position) -> bool:
        last = self.last
        return last is not None and last.at == str(position) and last.times >= TIMES and not self.drains

    def set_aside(self, position: Position) -> None:
        assert self.last is not None
        self.passed = str(position)
        self.last = msgspec.structs.replace(
            self.last, at="", times=0, aside=(*self.last.aside, str(position)), in_a_row=self.last.in_a_row + 1
        )

    def good(self) -> None:
        """The record that was folded alone is no culprit."""
        self.at = self.passed = ""
        if self.last is not None and self.last.in_a_row:
            self.last = msgspec.structs.replace(self.last, in_a_row=0)

    def stumbled(self, stage: Stage, until: Position, traceback: str) -> Stumble:
        """What the next process has to know."""
        trace = traceback[-MOST_TRACEBACK:]
        last = self.last or Stumble(stage=stage, until="", times=0, traceback=trace)
        ground = max(str(until), last.until)
        if stage == "write":
            return msgspec.structs.replace(last, until=ground, writes=last.writes + 1)
        # a batch that cannot be folded lies beyond the ground that was gone over with care: it is another one
        again = stage == last.stage and self.at != "" and last.at in ("", self.at)
        return msgspec.structs.replace(
            last, stage=stage, until=ground, at=self.at, times=last.times + 1 if again else 1, traceback=trace
        )

    def for_commit(self, position: Position) -> Stumble | None:
        """What a commit at this position has to remember: nothing, once it has left that ground behind."""
        if self.last is not None and str(position) > self.last.until:
            self.last = None
        return self.last


def refuse_to_drain(what: str, action: str, application: str, bug: Exception) -> NoReturn:
    """Raises Forbidden, which is waited out: setting one more aside would drain the stream into the queue."""
    raise Forbidden(
        f"{MOST_IN_A_ROW} {what} in a row were set aside, and the next raises {type(bug).__name__}: roll back",
        action=action,
        resource=application,
    ) from bug

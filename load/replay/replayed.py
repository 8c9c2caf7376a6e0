"""A replay that has ended as a case for its verification: its own events among those of others, before it and meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pandas as pd

from clickstream.aws import Clients
from clickstream.load.verdict import oracle, others, subjects
from clickstream.load.verdict.command import Case
from clickstream.load.verdict.comparers import archived
from clickstream.load.verdict.comparers.aggregates import Truth
from clickstream.load.verdict.progress import Counted
from clickstream.load.verdict.send_log import Entry
from clickstream.load.verdict.verification import Expectation
from clickstream.settings import Settings


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    clients: Clients
    settings: Settings
    own: pd.DataFrame
    """The events that were sent, in their order."""
    earlier: Sequence[Entry] | None
    """What was on the stream before; None: too much."""
    before: Counted
    """What analytics had counted before."""
    put: int
    started_ms: int
    flushed_ms: int
    starts: Sequence[int]
    """Of the shards' hash ranges; () if they changed."""

    def case(self) -> Case:
        """If nobody else sent anything meanwhile."""
        among = others.among(self.earlier or (), self.own, self.starts)
        truth = self._truth(among.truth, is_known=among.counted - among.own == self.before.events)
        return self._case(among.own, lambda _counted: truth, [])

    def case_among_others(self) -> Case | None:
        """If others did: without the windows that hold their events."""
        strange = self._strange()
        if strange == []:
            return None
        among = others.among(self.earlier or (), self.own)
        is_known = among.counted - among.own == self.before.events

        def truth(_counted: int) -> Truth:
            strange = self._strange()
            if strange is None:
                return self._truth(among.truth, is_known=False)
            # they are put in their places, since they move the watermark on
            must = others.among([*(self.earlier or ()), *strange], self.own, self.starts).truth
            must = self._truth(must, is_known=is_known)
            return msgspec.structs.replace(
                must, foreign=must.foreign | others.windows(each.event.occurred_at for each in strange)
            )

        return self._case(among.own, truth, strange)

    def _strange(self) -> list[Entry] | None:
        rows = zip(self.own["event_id"], self.own["user"], strict=True)
        return others.since(self.clients, self.settings, self.started_ms, archived.fingerprints(rows))

    def _truth(self, truth: Truth, *, is_known: bool) -> Truth:
        if is_known and self.earlier is not None:
            return truth
        # what was counted and has left the stream may be in any window
        windows = oracle.aggregate(self.own, self.starts)
        return Truth(windows=windows, foreign=frozenset(windows))

    def _case(self, events: int, truth: subjects.Judge, strange: Sequence[Entry] | None) -> Case:
        expected = Expectation(
            sent=len(self.own),
            put=self.put,
            events=events,
            repeated=len(self.own) - events,
            dead_letters=0,
            flushed_ms=self.flushed_ms,
            others=others.count(strange),
        )
        windows = others.windows(self.own["at"])
        subject = subjects.analytics(self.clients, self.settings, windows, truth, before=self.before)
        return Case(expected, {"analytics": subject})

"""A replay that has ended as a case for its verification: its own events among those of others, before it and meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pandas as pd

from clickstream.aws import Clients
from clickstream.load.replay.formats import Line
from clickstream.load.replay.inputs import Input
from clickstream.load.verdict import oracle, others, queries, subjects
from clickstream.load.verdict.command import Case
from clickstream.load.verdict.comparers import archived
from clickstream.load.verdict.comparers.aggregates import Truth, Window
from clickstream.load.verdict.progress import Counted
from clickstream.load.verdict.send_log import Entry
from clickstream.load.verdict.verification import Expectation
from clickstream.settings import Settings


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What others had sent before."""

    entries: Sequence[Entry] = ()
    """What is known of it."""
    is_all: bool
    empty: frozenset[Window] = frozenset()
    """If that is not all: of the windows to come, those that had no answer."""

    @classmethod
    def of(cls, clients: Clients, settings: Settings, before: Counted, source: Input, started_ms: int) -> Earlier:
        """``source`` is read once if it can be read again."""
        entries = others.on_stream(clients, settings)
        if entries is not None and others.are_all(entries, before.events, started_ms):
            return cls(entries=entries, is_all=True)
        if source.size is None:
            return cls(is_all=False)
        windows = others.windows(entry.event.occurred_at for entry in source if isinstance(entry, Line))
        answered = queries.ask(windows)
        return cls(is_all=False, empty=windows - {window for window, totals in answered.items() if any(totals.events.values())})


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    clients: Clients
    settings: Settings
    own: pd.DataFrame
    """The events that were sent, in their order."""
    earlier: Earlier
    before: Counted
    """What analytics had counted before."""
    put: int
    started_ms: int
    flushed_ms: int
    starts: Sequence[int]
    """Of the shards' hash ranges; () if they changed."""

    def case(self) -> Case:
        """If nobody else sent anything meanwhile."""
        among = others.among(self.earlier.entries, self.own, self.starts)
        truth = self._truth(among.truth)
        return self._case(among.own, lambda _counted: truth)

    def case_among_others(self) -> Case | None:
        """If others did: without the windows that hold their events."""
        if self._strange() == []:
            return None

        def truth(_counted: int) -> Truth:
            if (strange := self._strange()) is None:
                return self._truth(None)
            # they are put in their places, since they move the watermark on
            must = self._truth(others.among([*self.earlier.entries, *strange], self.own, self.starts).truth)
            foreign = others.windows(each.event.occurred_at for each in strange)
            return msgspec.structs.replace(must, foreign=must.foreign | foreign)

        case = self._case(others.among(self.earlier.entries, self.own).own, truth)
        return case._replace(others=lambda: others.count(self._strange()))

    def _strange(self) -> list[Entry] | None:
        rows = zip(self.own["event_id"], self.own["user"], strict=True)
        return others.since(self.clients, self.settings, self.started_ms, archived.fingerprints(rows))

    def _truth(self, truth: Truth | None) -> Truth:
        if truth is not None and self.earlier.is_all:
            return truth
        # what was counted and is not known of may be in any window that had an answer
        windows = oracle.aggregate(self.own, self.starts)
        foreign = frozenset(windows) - (self.earlier.empty if truth is not None else frozenset())
        return Truth(windows=windows, foreign=foreign, not_followed=oracle.not_followed(self.own, self.starts))

    def _case(self, events: int, truth: subjects.Judge) -> Case:
        expected = Expectation(
            sent=len(self.own),
            put=self.put,
            events=events,
            repeated=len(self.own) - events,
            dead_letters=0,
            flushed_ms=self.flushed_ms,
        )
        windows = others.windows(self.own["at"])
        subject = subjects.analytics(self.clients, self.settings, windows, truth, before=self.before)
        return Case(expected, {"analytics": subject})

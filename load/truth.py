"""Joins a ledger to the platform's answers: which application is verified by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from clickstream.aws import Clients
from clickstream.settings import Settings
from load import answers, decisions, diagnosis, letters, offers, progress, stores
from load.aggregates import Totals, Window
from load.compared import Compared
from load.faults import AHEAD_MS
from load.ledger import Ledger
from load.progress import Counted
from load.verification import Expectation, Subject

APPLICATIONS = ("analytics", "fraud", "recommendations")
#: Decisions, and offers, that are asked for by a command each.
_ASKED = 3


def counted(clients: Clients, settings: Settings, applications: Sequence[str] = APPLICATIONS) -> dict[str, Counted]:
    """What the applications have counted so far; an application that never ran has counted nothing."""
    return {name: progress.counted(progress.read(clients.dynamodb, settings, name)) for name in applications}


def expectation(ledger: Ledger) -> Expectation:
    return Expectation(
        sent=ledger.sent,
        put=ledger.put,
        events=ledger.events,
        dead_letters=ledger.malformed,
        to_refuse=ledger.to_refuse,
        refused=ledger.refused,
        flushed_ms=ledger.flushed_ms,
    )


def analytics(
    clients: Clients,
    settings: Settings,
    windows: Mapping[Window, Totals],
    *,
    foreign: frozenset[Window] = frozenset(),
    before: Counted = Counted(),  # noqa: B008  a frozen value
) -> Subject:
    """Aggregates, asked for by ``clickstream query aggregates``. ``foreign`` windows hold others' events too: not compared."""
    return Subject(
        look=partial(progress.read, clients.dynamodb, settings, "analytics"),
        compare=lambda: diagnosis.compare(windows, answers.ask(windows), foreign),
        before=before,
    )


def fraud(ledger: Ledger, clients: Clients, settings: Settings) -> Subject:
    """All decisions from the table, a few of them asked for by ``clickstream query decision``."""

    def compare() -> Compared:
        stored = {each.event_id: each for each in stores.decisions(clients, settings)}
        for asked in _few([each.event_id for each in ledger.purchases if each.event_id in stored]):
            answer = answers.decision(asked)
            told = {name: answer[name] for name in ("order_id", "user_id", "amount", "currency", "occurred_at", "verdict")}
            stored[asked] = msgspec.structs.replace(stored[asked], **told)
        return decisions.compare(ledger.purchases, list(stored.values()), started_ms=ledger.started_ms)

    return Subject(
        look=partial(progress.read, clients.dynamodb, settings, "fraud"), compare=compare, before=_before(ledger, "fraud")
    )


def recommendations(ledger: Ledger, clients: Clients, settings: Settings) -> Subject:
    """All offers from the table, a few of them asked for by ``clickstream query recommendations``."""

    def compare() -> Compared:
        stored = {each.user_id: each for each in stores.offers(clients, settings)}
        for asked in _few([each.user_id for each in ledger.visitors if each.user_id in stored]):
            answer = answers.recommendations(asked)
            if answer["personal"]:
                reasons = [item["because"] for item in answer["items"] if item["because"] is not None]
                stored[asked] = msgspec.structs.replace(stored[asked], because=reasons)
            elif stored[asked].items:
                del stored[asked]  # it is there, and nobody gets it
        return offers.compare(
            ledger.visitors,
            list(stored.values()),
            ledger.next_clicks,
            started_ms=ledger.started_ms,
            is_first=ledger.is_first,
            consumables=settings.consumable_categories,
        )

    return Subject(
        look=partial(progress.read, clients.dynamodb, settings, "recommendations"),
        compare=compare,
        before=_before(ledger, "recommendations"),
    )


def _few(names: Sequence[str]) -> Sequence[str]:
    """A process for each of thousands would take hours; a few show that people are told what the table says."""
    return names[:: max(1, -(-len(names) // _ASKED))]


def subjects(ledger: Ledger, clients: Clients, settings: Settings, applications: Sequence[str]) -> dict[str, Subject]:
    """By application, the comparison with the ledger."""
    made: dict[str, Callable[[], Subject]] = {
        "analytics": lambda: analytics(
            clients, settings, _windows(ledger), foreign=foreign(ledger), before=_before(ledger, "analytics")
        ),
        "fraud": lambda: fraud(ledger, clients, settings),
        "recommendations": lambda: recommendations(ledger, clients, settings),
    }
    return {name: made[name]() for name in applications}


def queue(ledger: Ledger, clients: Clients, settings: Settings, applications: Sequence[str]) -> Compared:
    """The dead-letter queue of these applications."""
    return letters.compare(ledger.rejected, stores.letters(clients, settings), applications, started_ms=ledger.started_ms)


def foreign(ledger: Ledger) -> frozenset[Window]:
    """On a stream that was not empty, the windows that began before the run, or before the fastest clocks of an earlier one."""
    if ledger.is_first:
        return frozenset()
    return frozenset(row.window for row in ledger.windows if row.window.start_ms < ledger.started_ms + AHEAD_MS)


def _windows(ledger: Ledger) -> dict[Window, Totals]:
    return {row.window: row.totals for row in ledger.windows}


def _before(ledger: Ledger, application: str) -> Counted:
    return ledger.before.get(application, Counted())

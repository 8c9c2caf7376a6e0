"""Joins a ledger to the platform's answers: which application is verified by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

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


def subjects(ledger: Ledger, clients: Clients, settings: Settings, applications: Sequence[str]) -> dict[str, Subject]:
    """By application, the comparison with the ledger."""
    made: dict[str, Callable[[], Subject]] = {
        "analytics": lambda: analytics(
            clients, settings, _windows(ledger), foreign=foreign(ledger), before=_before(ledger, "analytics")
        ),
        "fraud": lambda: Subject(
            look=partial(progress.read, clients.dynamodb, settings, "fraud"),
            compare=lambda: decisions.compare(
                ledger.purchases, stores.decisions(clients, settings), started_ms=ledger.started_ms
            ),
            before=_before(ledger, "fraud"),
        ),
        "recommendations": lambda: Subject(
            look=partial(progress.read, clients.dynamodb, settings, "recommendations"),
            compare=lambda: offers.compare(
                ledger.visitors,
                stores.offers(clients, settings),
                ledger.next_clicks,
                started_ms=ledger.started_ms,
                is_first=ledger.is_first,
                consumables=settings.consumable_categories,
            ),
            before=_before(ledger, "recommendations"),
        ),
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

"""Joins a ledger to the platform's answers: which application is verified by what."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pkgutil import resolve_name

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.needs import declared
from clickstream.load.verdict import progress, queries, stores
from clickstream.load.verdict.comparers import archived, decisions, diagnosis, letters, offers, placed
from clickstream.load.verdict.comparers.aggregates import Truth, Window
from clickstream.load.verdict.comparers.compared import Compared
from clickstream.load.verdict.ledger import Ledger
from clickstream.load.verdict.progress import Counted, ShardProgress
from clickstream.load.verdict.verification import Expectation, Subject
from clickstream.settings import Settings

#: What an application's ``needs`` names as its ``comparer``.
Compare = Callable[[Ledger, Clients, Settings], Subject]
#: What the windows must be, when analytics has counted so many events.
Judge = Callable[[int], Truth]
#: Decisions, and offers, that are asked for by a command each.
_ASKED = 3
#: How long applications may take to catch up before a run; a shard that has said nothing for so long stands still; how old
#: what was read last may be when it speaks.
_CATCH_UP_MS, _SILENT_MS, _READ_MS = 15_000, 5_000, 1_000
_LOOK_S = 0.25


def names() -> list[str]:
    """The applications that can be verified."""
    return [needs.name for needs in declared() if needs.comparer]


def counted(clients: Clients, settings: Settings, applications: Sequence[str] | None = None) -> dict[str, Counted]:
    """What the applications have counted of all that is on the stream now; one that never ran has counted nothing.

    Those that stand still, or take too long, are not waited for: later they have counted more than must come, which is seen.
    """
    began = time.time_ns() // 1_000_000
    while True:
        shards = {name: progress.read(clients.dynamodb, settings, name) for name in applications or names()}
        now = time.time_ns() // 1_000_000
        if now > began + _CATCH_UP_MS or all(
            progress.caught_up(each, began + _READ_MS) or all(shard.updated_at < began - _SILENT_MS for shard in each)
            for each in shards.values()
        ):
            return {name: progress.counted(each) for name, each in shards.items()}
        time.sleep(_LOOK_S)


def epochs(clients: Clients, settings: Settings, applications: Sequence[str] | None = None) -> dict[str, int]:
    """How often the shards of each application have come to a process."""
    read = partial(progress.read, clients.dynamodb, settings)
    return {name: sum(each.epoch for each in read(name)) for name in applications or names()}


def running(clients: Clients, settings: Settings) -> list[str]:
    """The applications that must have answers: those that are started by default, and of the others those that ever were."""
    started = {needs.name for needs in declared() if needs.starts_with_up}
    return [name for name in names() if name in started or progress.read(clients.dynamodb, settings, name)]


def expectation(ledger: Ledger) -> Expectation:
    return Expectation(
        sent=ledger.sent,
        put=ledger.put,
        events=ledger.events,
        dead_letters=ledger.malformed,
        to_refuse=ledger.to_refuse,
        refused=ledger.refused,
        flushed_ms=ledger.flushed_ms,
        door=ledger.door.wrong,
        others=ledger.others,
    )


def analytics(
    clients: Clients,
    settings: Settings,
    own: Iterable[Window],
    truth: Judge,
    *,
    before: Counted = Counted(),  # noqa: B008  a frozen value
) -> Subject:
    """Aggregates of one's own windows, asked for by ``clickstream query aggregates``.

    ``truth`` is asked after the answers, and with what had been counted before them: if it knows of as many events, none came
    in between.
    """

    def look() -> Sequence[ShardProgress]:
        return progress.read(clients.dynamodb, settings, "analytics")

    def compare() -> Compared:
        counted = progress.counted(look()).events
        answered = queries.ask(own)
        must = truth(counted)
        expected = {window: must.windows[window] for window in must.windows.keys() & {*own, *answered}}
        return diagnosis.compare(msgspec.structs.replace(must, windows=expected), answered)

    return Subject(look=look, compare=compare, before=before)


def analytics_of_run(ledger: Ledger, clients: Clients, settings: Settings) -> Subject:
    """The aggregates of a run of the load generator."""
    own = {row.window: row.totals for row in ledger.windows}

    @lru_cache(1)
    def truth(counted: int) -> Truth:
        if ledger.is_first:
            return Truth(windows=own)
        from clickstream.load.verdict import others  # pandas is slow to import

        most = others.MOST_EVENTS + ledger.events
        return others.truth(ledger, others.on_stream(clients, settings, most=most), counted)

    return analytics(clients, settings, own, truth, before=_before(ledger, "analytics"))


def fraud(ledger: Ledger, clients: Clients, settings: Settings) -> Subject:
    """All decisions from the table, a few of them asked for by ``clickstream query decision``."""

    def compare() -> Compared:
        stored = stores.decisions(clients, settings)
        alike = Counter(each.event_id for each in stored)
        places = {each.event_id: place for place, each in enumerate(stored) if alike[each.event_id] == 1}
        for asked in _few([each.event_id for each in ledger.purchases if each.event_id in places]):
            answer = queries.decision(asked)
            told = {name: answer[name] for name in ("order_id", "user_id", "amount", "currency", "occurred_at", "verdict")}
            stored[places[asked]] = msgspec.structs.replace(stored[places[asked]], **told)
        return decisions.compare(ledger.purchases, stored, started_ms=ledger.started_ms, alone=not ledger.others)

    return Subject(
        look=partial(progress.read, clients.dynamodb, settings, "fraud"), compare=compare, before=_before(ledger, "fraud")
    )


def recommendations(ledger: Ledger, clients: Clients, settings: Settings) -> Subject:
    """All offers from the table, a few of them asked for by ``clickstream query recommendations``."""

    def compare() -> Compared:
        stored = {each.user_id: each for each in stores.offers(clients, settings)}
        for asked in _few([each.user_id for each in ledger.visitors if each.user_id in stored]):
            answer = queries.recommendations(asked)
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
            alone=not ledger.others,
            consumables=settings.consumable_categories,
        )

    return Subject(
        look=partial(progress.read, clients.dynamodb, settings, "recommendations"),
        compare=compare,
        before=_before(ledger, "recommendations"),
    )


def archive(ledger: Ledger, clients: Clients, settings: Settings) -> Subject:
    """Every row of the files in the bucket."""
    before = _before(ledger, "archive")
    return Subject(
        look=partial(progress.read, clients.dynamodb, settings, "archive"),
        compare=lambda: archived.compare(
            ledger.archived, stores.archive(clients, settings), is_first=before == Counted() and not ledger.others
        ),
        before=before,
    )


def orders(ledger: Ledger, clients: Clients, settings: Settings) -> Subject:
    """Every order of the table."""
    before = _before(ledger, "orders")
    return Subject(
        look=partial(progress.read, clients.dynamodb, settings, "orders"),
        compare=lambda: placed.compare(
            ledger.purchases, stores.orders(clients, settings), is_first=before == Counted() and not ledger.others
        ),
        before=before,
    )


def _few(names: Sequence[str]) -> Sequence[str]:
    """A process for each of thousands would take hours; a few show that people are told what the table says."""
    return names[:: max(1, -(-len(names) // _ASKED))]


def subjects(ledger: Ledger, clients: Clients, settings: Settings, applications: Sequence[str]) -> dict[str, Subject]:
    """By application, the comparison with the ledger."""
    comparers: dict[str, Compare] = {
        needs.name: resolve_name(needs.comparer) for needs in declared() if needs.name in applications
    }
    return {
        name: _with_moves(ledger, clients, settings, name, compare(ledger, clients, settings))
        for name, compare in comparers.items()
    }


def _with_moves(ledger: Ledger, clients: Clients, settings: Settings, name: str, subject: Subject) -> Subject:
    """Told as a figure: how often shards have come to another process since the run began. A lease that a busy machine did not
    renew in time moves one as well, so this alone is no fault."""
    if name not in ledger.epochs:
        return subject

    def compare() -> Compared:
        compared = subject.compare()
        moves = epochs(clients, settings, [name])[name] - ledger.epochs[name]
        compared.figures = compared.figures | {"moved": moves}
        return compared

    return msgspec.structs.replace(subject, compare=compare)


def queue(ledger: Ledger, clients: Clients, settings: Settings, applications: Sequence[str]) -> Compared:
    """The dead-letter queue of these applications."""
    found = stores.letters(clients, settings)
    return letters.compare(ledger.rejected, found, applications, started_ms=ledger.started_ms, alone=not ledger.others)


def _before(ledger: Ledger, application: str) -> Counted:
    return ledger.before.get(application, Counted())

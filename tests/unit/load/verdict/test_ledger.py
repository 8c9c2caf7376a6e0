"""The ledger: what was sent, what must come out, and a file that a later process can read."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from clickstream import events
from clickstream.errors import Missing, UserMistake
from clickstream.events import AddToCart, ProductView, Purchase, RemoveFromCart
from load.driving.plan import Plan
from load.traffic.everything import Traffic
from load.traffic.faults import AHEAD_MS, Emission, Rates
from load.traffic.generator import Season, Shop
from load.verdict import frames, ledger, oracle
from load.verdict import subjects as truth
from load.verdict.comparers.aggregates import GRANULARITIES
from load.verdict.ledger import Ledger, ledger_of, purchases, visitors, windows
from load.verdict.progress import Counted
from load.verdict.sent_records import Book, digest

T0 = 1_700_000_000_000
PLAN = Plan(rate=20, duration_s=250, seed=5)
RATES = Rates(retry=0.05, late=0.05, malformed=0.05, delayed=0.05, old=0.05, skewed=0.1, oversized=0.001)


@pytest.fixture(scope="module")
def sent() -> list[Emission]:
    traffic = Traffic(5, Shop(products=50, visitors=100, concurrent=20), RATES, Season(attacks=0.05))
    return [traffic.emit(T0 + n * 50) for n in range(5_000)]


@pytest.fixture(scope="module")
def book(sent: list[Emission]) -> Book:
    filled = Book()
    for n, emission in enumerate(sent):
        filled.enter(emission, T0 + n * 50)
    return filled


def _ledger(book: Book, plan: Plan = PLAN, before: int = 0) -> Ledger:
    counted = {"analytics": Counted(events=before)}
    return ledger_of(
        book,
        plan,
        stream="clickstream",
        started_ms=T0,
        flushed_ms=T0 + 1,
        put=book.sent,
        refused=book.oversized,
        before=counted,
    )


def test_the_book_counts_by_kind(book: Book, sent: list[Emission]) -> None:
    kinds = [emission.kind for emission in sent]

    assert book.kinds == {kind: kinds.count(kind) for kind in set(kinds)}
    assert book.oversized > 0
    assert book.sent == len(sent) - book.oversized
    assert book.events == len(book.entries) == book.sent - kinds.count("retry") - kinds.count("malformed")
    assert [each.digest for each in book.rejected] == [digest(each.data) for each in sent if each.kind == "malformed"]


def test_the_book_agrees_with_the_oracle_over_the_bytes_that_were_sent(
    book: Book, sent: list[Emission], tmp_path: Path
) -> None:
    """Two ways that share no code: the book keeps what the generator meant, the frame is parsed from the wire's bytes."""
    path = tmp_path / "sent.ndjson"
    path.write_bytes(b"".join(emission.data + b"\n" for emission in sent if emission.event is not None))

    exact = windows(book.entries)

    assert exact == oracle.aggregate(frames.from_ndjson(path))
    assert {window.granularity for window in exact} == set(GRANULARITIES)
    for granularity in GRANULARITIES:
        counted = [sum(totals.events.values()) for window, totals in exact.items() if window.granularity == granularity]
        assert sum(counted) == book.events
    day = next(totals for window, totals in exact.items() if window.granularity == "day")
    assert day.funnel[0] > day.funnel[1] > day.funnel[2] > 0
    assert all((day.products, day.categories, day.carted, day.bought, day.searches, day.revenue))


def test_each_purchase_is_there_once_with_its_label(book: Book, sent: list[Emission]) -> None:
    bought = purchases(book.entries, book.adversaries)
    labels = {each.event.event_id: each.adversary for each in sent if each.event and each.kind != "retry"}

    orders = {each.event.event_id for each in sent if isinstance(each.event, Purchase)}
    assert sorted(each.event_id for each in bought) == sorted(orders)
    assert {each.event_id: each.adversary for each in bought} == {event_id: labels[event_id] for event_id in orders}
    assert {each.adversary for each in bought} > {"", "card_testing"}


def test_each_visitor_is_there_with_what_was_touched_and_bought(sent: list[Emission], book: Book) -> None:
    touched: dict[str, set[str]] = {}
    for emission in sent:
        match emission.event:
            case ProductView() | AddToCart() | RemoveFromCart() as event:
                touched.setdefault(event.user_id, set()).add(event.product_id)
            case Purchase() as event:
                touched.setdefault(event.user_id, set()).update(item.product_id for item in event.items)

    found = visitors(book.entries)

    assert {each.user_id: set(each.touched) for each in found} == touched
    assert all(set(each.bought) <= set(each.touched) for each in found)
    assert any(each.bought for each in found)
    bots = {entry.event.user_id for entry in book.entries if book.adversaries.get(entry.event.event_id) == "bot"}
    again = [each for each in found if each.user_id in bots]
    assert again
    assert not any(each.bought for each in again), "they buy the same again and again"


def test_a_book_that_keeps_nothing_still_counts(sent: list[Emission], book: Book) -> None:
    counting = Book(keep=False)
    for emission in sent:
        counting.enter(emission)

    assert counting.kinds == book.kinds
    assert windows(counting.entries) == {}


def test_it_is_read_back_as_it_was_written(book: Book, tmp_path: Path) -> None:
    written = _ledger(book)
    path = tmp_path / "deep" / "ledger.json"

    written.write(path)

    assert ledger.read(path) == written


def test_a_missing_or_foreign_file_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no ledger"):
        ledger.read(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"stream": 1}')
    with pytest.raises(UserMistake, match="is no ledger"):
        ledger.read(tmp_path / "other.json")


def test_what_is_refused_at_a_collectors_door_never_reaches_the_stream(book: Book) -> None:
    straight = _ledger(book)
    over_http = _ledger(book, msgspec.structs.replace(PLAN, is_checked_at_the_door=True))

    assert straight.malformed == len(straight.rejected) == book.malformed > 0
    assert straight.to_refuse == book.oversized
    assert (over_http.malformed, over_http.rejected) == (0, [])
    assert over_http.to_refuse == book.oversized + book.malformed
    assert over_http.sent == straight.sent - book.malformed


def test_on_a_stream_with_a_past_the_windows_that_others_may_have_touched_are_not_compared(book: Book) -> None:
    assert truth.foreign(_ledger(book)) == frozenset()
    later = truth.foreign(_ledger(book, before=1))

    assert {window.granularity for window in later} >= {"hour", "day"}
    assert all(window.start_ms < T0 + AHEAD_MS for window in later)
    assert {row.window for row in _ledger(book).windows} - later


def test_an_event_is_the_same_after_a_journey_between_processes(book: Book) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(book), type=Book) == book
    assert all(events.decode(events.encode(entry.event)) == entry.event for entry in book.entries[:100])

"""The ledger: what was sent, what must come out, and a file that a later process can read."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from clickstream import events
from clickstream.errors import Missing, UserMistake
from load import frames, ledger, oracle
from load.aggregates import GRANULARITIES
from load.faults import Emission, Rates
from load.generator import Shop
from load.ledger import Book, Ledger, WindowTotals
from load.progress import Counted
from load.traffic import Traffic

T0 = 1_700_000_000_000


def _filled(count: int = 5_000) -> tuple[Book, list[Emission]]:
    traffic = Traffic(5, Shop(products=50, visitors=100, concurrent=20), Rates(retry=0.05, late=0.05, malformed=0.05))
    sent = [traffic.emit(T0 + n * 50) for n in range(count)]
    book = Book()
    for emission in sent:
        book.enter(emission)
    return book, sent


def _ledger(book: Book, before: Counted = Counted()) -> Ledger:  # noqa: B008  a frozen value
    rows = [WindowTotals(window, totals) for window, totals in book.windows().items()]
    return Ledger(
        stream="clickstream", seed=5, rate=20, started_ms=T0, flushed_ms=T0 + 1, sent=book.sent, put=book.sent,
        events=book.events, retries=book.retries, late=book.late, malformed=book.malformed, before=before, windows=rows,
    )  # fmt: skip


def test_the_book_counts_by_kind() -> None:
    book, sent = _filled()

    kinds = [emission.kind for emission in sent]
    assert book.sent == len(sent)
    assert book.events == kinds.count("event") + kinds.count("late")
    assert (book.retries, book.late, book.malformed) == tuple(kinds.count(kind) for kind in ("retry", "late", "malformed"))


def test_the_book_agrees_with_the_oracle_over_the_bytes_that_were_sent(tmp_path: Path) -> None:
    """Two ways that share no code: the book keeps what the generator meant, the frame is parsed from the wire's bytes."""
    book, sent = _filled()
    path = tmp_path / "sent.ndjson"
    path.write_bytes(b"".join(events.encode(emission.event) + b"\n" for emission in sent if emission.event is not None))

    windows = book.windows()

    assert windows == oracle.aggregate(frames.from_ndjson(path))
    assert {window.granularity for window in windows} == set(GRANULARITIES)
    for granularity in GRANULARITIES:
        counted = [sum(totals.events.values()) for window, totals in windows.items() if window.granularity == granularity]
        assert sum(counted) == book.events
    day = next(totals for window, totals in windows.items() if window.granularity == "day")
    assert day.funnel[0] > day.funnel[1] > day.funnel[2] > 0
    assert all((day.products, day.categories, day.carted, day.bought, day.searches, day.revenue))


def test_a_book_that_keeps_nothing_still_counts() -> None:
    book = Book(keep=False)
    for emission in _filled()[1]:
        book.enter(emission)

    assert book.sent == 5_000
    assert book.windows() == {}


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    written = _ledger(_filled()[0])
    path = tmp_path / "deep" / "ledger.json"

    written.write(path)

    assert ledger.read(path) == written


def test_a_missing_or_foreign_file_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no ledger"):
        ledger.read(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"stream": 1}')
    with pytest.raises(UserMistake, match="is no ledger"):
        ledger.read(tmp_path / "other.json")


def test_on_a_stream_with_a_past_the_windows_that_began_before_are_not_compared() -> None:
    book, _ = _filled()

    fresh = _ledger(book).expectation()
    later = _ledger(book, Counted(events=1)).expectation()

    assert fresh.foreign == frozenset()
    assert {window.granularity for window in later.foreign} >= {"hour", "day"}
    assert all(window.start_ms < T0 for window in later.foreign)
    assert later.windows.keys() - later.foreign
    assert msgspec.structs.replace(later, foreign=frozenset(), before=Counted()) == fresh

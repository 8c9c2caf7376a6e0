"""The ledger: what was sent, what must come out, and a file that a later process can read."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from clickstream import events
from clickstream.errors import Missing, UserMistake
from clickstream.events import AddToCart, ProductView, Purchase, RemoveFromCart
from clickstream.load.traffic.faults import AHEAD_MS, Emission, Rates
from clickstream.load.traffic.plan import Plan
from clickstream.load.traffic.records import Traffic
from clickstream.load.traffic.shop.visitors import Season, Shop
from clickstream.load.verdict import frames, ledger, oracle, others
from clickstream.load.verdict.comparers.aggregates import GRANULARITIES, Totals, Truth, Window
from clickstream.load.verdict.derivation import ledger_of, purchases, visitors, windows
from clickstream.load.verdict.ledger import Ledger, WindowTotals
from clickstream.load.verdict.progress import Counted
from clickstream.load.verdict.send_log import Entry, SendLog, digest

T0 = 1_700_000_000_000
PLAN = Plan(rate=20, duration_s=250, seed=5)
RATES = Rates(retry=0.05, late=0.05, malformed=0.05, delayed=0.05, old=0.05, skewed=0.1, oversized=0.001)


@pytest.fixture(scope="module")
def sent() -> list[Emission]:
    traffic = Traffic(5, Shop(products=50, visitors=100, concurrent=20), RATES, Season(attacks=0.05))
    return [traffic.emit(T0 + n * 50) for n in range(5_000)]


@pytest.fixture(scope="module")
def log(sent: list[Emission]) -> SendLog:
    filled = SendLog()
    for n, emission in enumerate(sent):
        filled.record(emission, T0 + n * 50)
    return filled


def _ledger(log: SendLog, plan: Plan = PLAN, before: int = 0) -> Ledger:
    counted = {"analytics": Counted(events=before)}
    return ledger_of(
        log,
        plan,
        stream="clickstream",
        started_ms=T0,
        flushed_ms=T0 + 1,
        put=log.sent,
        refused=log.oversized,
        before=counted,
    )


def test_the_send_log_counts_by_kind(log: SendLog, sent: list[Emission]) -> None:
    kinds = [emission.kind for emission in sent]

    assert log.kinds == {kind: kinds.count(kind) for kind in set(kinds)}
    assert log.oversized > 0
    assert log.sent == len(sent) - log.oversized
    assert log.events == len(log.entries) == log.sent - kinds.count("retry") - kinds.count("malformed")
    assert [each.digest for each in log.rejected] == [digest(each.data) for each in sent if each.kind == "malformed"]


def test_the_send_log_agrees_with_the_oracle_over_the_bytes_that_were_sent(log: SendLog, sent: list[Emission]) -> None:
    """Two ways that share no code: the log keeps what the generator meant, the frame is parsed from the wire's bytes."""
    exact = windows(log.entries)

    assert exact == oracle.aggregate(frames.from_ndjson(emission.data for emission in sent if emission.event is not None))
    assert {window.granularity for window in exact} == set(GRANULARITIES)
    for granularity in GRANULARITIES:
        counted = [sum(totals.events.values()) for window, totals in exact.items() if window.granularity == granularity]
        assert sum(counted) == log.events
    day = next(totals for window, totals in exact.items() if window.granularity == "day")
    assert day.funnel is not None
    assert day.funnel[0] > day.funnel[1] > day.funnel[2] > 0
    assert all((day.products, day.categories, day.carted, day.bought, day.searches, day.revenue))


def test_each_purchase_is_there_once_with_its_label(log: SendLog, sent: list[Emission]) -> None:
    bought = purchases(log.entries, log.adversaries)
    labels = {each.event.event_id: each.adversary for each in sent if each.event and each.kind != "retry"}

    orders = {each.event.event_id for each in sent if isinstance(each.event, Purchase)}
    assert sorted(each.event_id for each in bought) == sorted(orders)
    assert {each.event_id: each.adversary for each in bought} == {event_id: labels[event_id] for event_id in orders}
    assert {each.adversary for each in bought} > {"", "card_testing"}


def test_each_visitor_is_there_with_what_was_touched_and_bought(sent: list[Emission], log: SendLog) -> None:
    touched: dict[str, set[str]] = {}
    for emission in sent:
        match emission.event:
            case ProductView() | AddToCart() | RemoveFromCart() as event:
                touched.setdefault(event.user_id, set()).add(event.product_id)
            case Purchase() as event:
                touched.setdefault(event.user_id, set()).update(item.product_id for item in event.items)

    found = visitors(log.entries)

    assert {each.user_id: set(each.touched) for each in found} == touched
    assert all(set(each.bought) <= set(each.touched) for each in found)
    assert any(each.bought for each in found)
    bots = {entry.event.user_id for entry in log.entries if log.adversaries.get(entry.event.event_id) == "bot"}
    again = [each for each in found if each.user_id in bots]
    assert again
    assert not any(each.bought for each in again), "they buy the same again and again"


def test_a_send_log_that_keeps_nothing_still_counts(sent: list[Emission], log: SendLog) -> None:
    counting = SendLog(keep=False)
    for emission in sent:
        counting.record(emission)

    assert counting.kinds == log.kinds
    assert windows(counting.entries) == {}


def test_it_is_read_back_as_it_was_written(log: SendLog, tmp_path: Path) -> None:
    written = _ledger(log)
    path = tmp_path / "deep" / "ledger.json"

    written.write(path)

    assert ledger.read(path) == written


def test_a_missing_or_foreign_file_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no ledger"):
        ledger.read(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"stream": 1}')
    with pytest.raises(UserMistake, match="is no ledger"):
        ledger.read(tmp_path / "other.json")


def test_what_is_refused_at_a_collectors_door_never_reaches_the_stream(log: SendLog) -> None:
    straight = _ledger(log)
    over_http = _ledger(log, msgspec.structs.replace(PLAN, is_checked_at_the_door=True))

    assert straight.malformed == len(straight.rejected) == log.malformed > 0
    assert straight.to_refuse == log.oversized
    assert (over_http.malformed, over_http.rejected) == (0, [])
    assert over_http.to_refuse == log.oversized + log.malformed
    assert over_http.sent == straight.sent - log.malformed


def test_on_a_stream_with_a_past_the_others_events_are_counted_in_as_far_as_they_are_still_there(log: SendLog) -> None:
    book, at = _ledger(log, before=2), log.entries[0].event.occurred_at
    view = ProductView(event_id="e", user_id="u", session_id="s", occurred_at=at, product_id="p")
    strange = [Entry(T0 - 2, view), Entry(T0 - 1, view)]
    hour = Window("hour", at // 3_600_000 * 3_600_000)

    whole = others.truth(book, [*strange, *log.entries], log.events + 1)
    without = others.truth(book, log.entries, log.events + 1).foreign
    false = msgspec.structs.replace(book, windows=[*book.windows[1:], WindowTotals(book.windows[0].window, Totals(orders=1))])

    assert whole.foreign == frozenset()
    assert whole.windows[hour].events["product_view"] == 1 + next(
        row.totals.events["product_view"] for row in book.windows if row.window == hour
    )
    assert {window.granularity for window in without} >= {"hour", "day"}
    assert all(window.start_ms < T0 + AHEAD_MS for window in without)
    assert {row.window for row in book.windows} - without
    assert others.truth(book, None, log.events + 1).foreign == without, "too many to be read"
    assert others.truth(false, [*strange, *log.entries], log.events + 1) == Truth(
        windows={row.window: row.totals for row in false.windows}
    ), "what was written down is not what is on the stream: it will differ"


def test_what_others_sent_meanwhile_is_left_out_until_it_is_counted(log: SendLog) -> None:
    book = msgspec.structs.replace(_ledger(log), others=1)
    late = log.entries[-1].event.occurred_at
    strange = Entry(T0 + 1, ProductView(event_id="e", user_id="u", session_id="s", occurred_at=late, product_id="p"))
    own = {row.window for row in book.windows}

    on_its_way = others.truth(book, [*log.entries, strange], log.events)
    counted = others.truth(book, [*log.entries, strange], log.events + 1)

    assert not book.is_first
    assert on_its_way.foreign == others.windows([late])
    assert own - on_its_way.foreign
    assert counted.foreign == frozenset()
    assert others.truth(book, None, log.events).foreign == own


def test_an_event_is_the_same_after_a_journey_between_processes(log: SendLog) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(log), type=SendLog) == log
    assert all(events.decode(events.encode(entry.event)) == entry.event for entry in log.entries[:100])

"""The oracle against answers added up by hand, and against the platform's own mapping of the same files."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

from clickstream.load.replay import formats
from clickstream.load.replay.formats import Line
from clickstream.load.traffic.faults import Emission
from clickstream.load.verdict import derivation, frames, oracle
from clickstream.load.verdict.comparers.aggregates import Totals, Window
from clickstream.load.verdict.send_log import SendLog
from clickstream.producers import lines

MINUTE, HOUR = 60_000, 3_600_000
#: A whole hour, so that offsets read as times of that hour.
T0 = 1_700_006_400_000 // HOUR * HOUR


#: (type, seconds after T0, session, columns)
Row = tuple[str, int, str, dict[str, Any]]


def _rows(*rows: Row) -> dict[Window, Totals]:
    """Their aggregates; every session has a user of its own."""
    return oracle.aggregate(
        frames.frame_of(
            {"event_id": f"e{n}", "type": kind, "at": T0 + s * 1000, "session": session, "user": f"u-{session}", **columns}
            for n, (kind, s, session, columns) in enumerate(rows)
        )
    )


def test_no_events_have_no_windows() -> None:
    assert oracle.aggregate(frames.frame_of([])) == {}


def test_counts_revenue_and_uniques_by_minute_hour_and_day() -> None:
    windows = _rows(
        ("purchase", 0, "a", {"amount": 500, "currency": "EUR"}),
        ("purchase", 10, "b", {"amount": 250, "currency": "EUR"}),
        ("purchase", 59, "b", {"amount": 7, "currency": "JPY"}),
        ("page_view", 60, "a", {}),
    )

    first = windows[Window("minute", T0)]
    assert first.events == {"purchase": 3}
    assert first.revenue == {"EUR": 750, "JPY": 7}
    assert first.uniques == 2
    assert windows[Window("minute", T0 + MINUTE)].events == {"page_view": 1}
    hour = windows[Window("hour", T0)]
    assert hour.events == {"purchase": 3, "page_view": 1}
    assert hour.uniques == 2
    assert len(windows) == 4
    (day,) = [totals for window, totals in windows.items() if window.granularity == "day"]
    assert day == hour


def test_an_event_that_comes_again_counts_once_within_two_spans_of_arrival() -> None:
    spans = (0, 1, 2, 3, 5)
    frame = frames.frame_of({"event_id": "e", "type": "login", "user": "u", "arrived": n * oracle.SPAN_MS} for n in spans)

    assert list(oracle.repeated(frame)) == [False, True, False, True, False]


def test_an_event_id_counts_once() -> None:
    frame = frames.frame_of(
        {"event_id": "same", "type": "page_view", "at": T0 + n, "session": "s", "user": "u"} for n in range(3)
    )

    assert oracle.aggregate(frame)[Window("minute", T0)].events == {"page_view": 1}


def test_rankings_are_by_count_then_key_and_end_after_twenty() -> None:
    views: list[Row] = [("product_view", 0, "s", {"product": f"p{n:02d}", "category": "c" if n % 2 else ""}) for n in range(25)]
    views.append(("product_view", 1, "s", {"product": "p24", "category": "b"}))
    carts: list[Row] = [("add_to_cart", 2, "s", {"product": "p00", "category": "c", "quantity": n}) for n in (2, 3)]
    orders: list[Row] = [
        ("purchase", 3, "s", {"basket": (("p01", 2), ("p00", 1))}),
        ("purchase", 4, "s", {"basket": (("p00", 1),)}),
    ]

    ranked = _rows(*views, *carts, *orders)[Window("minute", T0)]

    assert ranked.products == [("p24", 2), *((f"p{n:02d}", 1) for n in range(19))]
    assert ranked.categories == [("c", 12), ("b", 1)]
    assert ranked.carted == [("p00", 5)]
    assert ranked.bought == [("p00", 2), ("p01", 2)]
    assert ranked.orders == 2


def test_searches_are_one_whatever_their_case_and_spaces() -> None:
    ranked = _rows(
        ("search", 0, "a", {"query": "Red  Shoes "}),
        ("search", 1, "b", {"query": "red shoes"}),
        ("search", 2, "b", {"query": "STRASSE"}),
        ("search", 3, "b", {"query": "straße"}),
        ("search", 4, "b", {"query": "  "}),
    )[Window("minute", T0)]

    assert ranked.searches == [("red shoes", 2), ("strasse", 2)]


def test_the_funnel_counts_sessions_by_what_they_did_before() -> None:
    windows = _rows(
        ("product_view", 0, "all", {"product": "p"}),
        ("product_view", 1, "all", {"product": "q"}),
        ("add_to_cart", 2, "all", {}),
        ("purchase", 61, "all", {}),
        ("add_to_cart", 3, "cart first", {}),
        ("product_view", 4, "cart first", {"product": "p"}),
        ("purchase", 5, "cart first", {}),
        ("product_view", 6, "no cart", {"product": "p"}),
        ("purchase", 7, "no cart", {}),
    )

    assert windows[Window("minute", T0)].funnel == (3, 1, 0)
    assert windows[Window("minute", T0 + MINUTE)].funnel == (0, 0, 1)
    assert windows[Window("hour", T0)].funnel == (3, 1, 1)


def test_a_session_id_of_two_users_is_two_sessions() -> None:
    frame = frames.frame_of(
        [
            {"event_id": "1", "type": "product_view", "at": T0, "session": "s", "user": "a", "product": "p"},
            {"event_id": "2", "type": "add_to_cart", "at": T0, "session": "s", "user": "b", "product": "p"},
        ]
    )

    assert oracle.aggregate(frame)[Window("hour", T0)].funnel == (1, 0, 0)


def test_a_pause_longer_than_the_platform_remembers_leaves_the_funnels_of_its_windows_undefined_alone() -> None:
    windows = _rows(
        ("product_view", 0, "s", {"product": "p"}),
        ("product_view", 60, "other", {"product": "p"}),
        ("add_to_cart", 62 * 60, "s", {}),
    )

    assert windows[Window("minute", T0)].funnel is windows[Window("hour", T0 + HOUR)].funnel is None
    assert windows[Window("minute", T0)].events == {"product_view": 1}
    assert windows[Window("minute", T0 + MINUTE)].funnel == (1, 0, 0)


def test_beside_its_own_shard_alone_a_session_far_behind_is_followed() -> None:
    """A file sorted by visitor: the first is at the end, and whoever comes next is behind from the first event on."""
    frame = frames.frame_of(
        {"event_id": f"e{n}", "type": "product_view", "at": T0 + s * 1000, "user": user, "session": "s"}
        for n, (user, s) in enumerate([("a", 0), ("a", 7200), ("b", 60), ("b", 120), ("c", 0), ("c", 90_000), ("c", 90_001)])
    )

    anywhere, one_shard, halves = (oracle.not_followed(frame, starts) for starts in ([], [0], [0, 2**127]))

    assert anywhere == 3
    assert one_shard == 2, "a's pause, and c's day"
    assert halves == 2
    assert oracle.aggregate(frame, [0])[Window("minute", T0 + MINUTE)].funnel == (1, 0, 0)
    assert oracle.aggregate(frame)[Window("minute", T0 + MINUTE)].funnel is None


def test_a_pause_between_other_events_is_no_matter() -> None:
    windows = _rows(("page_view", 0, "s", {}), ("page_view", 2 * 3600, "s", {}))

    assert windows[Window("hour", T0)].events == {"page_view": 1}


def _by_the_mapping(path: Path, file_format: str) -> dict[Window, Totals]:
    """The aggregates of what the replay would send, through the send log."""
    log = SendLog()
    with lines.opened(str(path)) as source:
        for entry in formats.read(source.lines, formats.FORMATS[file_format]()):
            if isinstance(entry, Line):
                log.record(Emission("event", entry.event.user_id, b"", entry.event))
    return derivation.windows(log.entries)


def test_both_readings_of_a_taobao_file_agree(tmp_path: Path) -> None:
    rows = ["1,10,5,pv,1511658000", "1,10,5,cart,1511658060", "broken", "1,10,5,buy,1511658061", "2,99999,6,fav,1511658062"]
    rows += [
        '3,11,5,"pv,1511658062',
        "3,11,5,pv,1511658062,1",
        "1,11,5,pv,1511659862",
        "3,11,5,buy,1511669862",
        "3,11,5,pv,15",
    ]
    path = tmp_path / "behaviour.csv.gz"
    text = "\n".join(rows).encode()
    path.write_bytes(gzip.compress(text))

    events = frames.from_taobao(io.BytesIO(text))

    assert len(events) == 6
    assert oracle.aggregate(events) == _by_the_mapping(path, "taobao")
    assert sum(
        totals.revenue.get("CNY", 0) for window, totals in oracle.aggregate(events).items() if window.granularity == "day"
    ) == (100 + 10 + 100 + 11)


def test_both_readings_of_ndjson_agree_over_versions_and_currencies(tmp_path: Path) -> None:
    text = [
        '{"type":"product_view","event_id":"1",ENVELOPE,"product_id":"p","category":"c"}',
        '{"type":"add_to_cart","event_id":"2",ENVELOPE,"sku":"p","schema_version":1}',
        '{"type":"purchase","event_id":"3",ENVELOPE,"schema_version":1,"order_id":"o","items":[{"sku":"p","quantity":3}],"amount":"12.34",'
        '"currency":"EUR"}',
        '{"type":"search","event_id":"6",ENVELOPE,"query":"A  b"}',
        '{"type":"purchase","event_id":"7",ENVELOPE,"schema_version":1,"order_id":"o","items":[{"sku":"p"}],"amount":"1200","currency":"JPY"}',
    ]
    path = tmp_path / "events.ndjson"
    envelope = f'"user_id":"u","session_id":"s","occurred_at":{T0}'
    path.write_text("".join(f"{line}\n" for line in text).replace("ENVELOPE", envelope))

    windows = oracle.aggregate(frames.from_ndjson(path.read_bytes().splitlines()))

    assert windows == _by_the_mapping(path, "ndjson")
    assert windows[Window("hour", T0)].revenue == {"EUR": 1234, "JPY": 1200}
    assert windows[Window("hour", T0)].funnel == (1, 1, 1)


def test_amounts_of_version_1_have_the_decimals_of_their_currency() -> None:
    with (Path(__file__).parents[2] / "iso-4217.csv").open() as file:
        next(file)
        decimals = {code: int(units) for code, units in csv.reader(file) if units != "N.A."}
    purchase = {"type": "purchase", "event_id": "e", "user_id": "u", "session_id": "s", "occurred_at": T0, "items": []}
    old = [purchase | {"schema_version": 1, "amount": "1", "currency": currency} for currency in decimals]

    frame = frames.from_ndjson(json.dumps(each).encode() for each in old)

    assert dict(zip(frame["currency"], frame["amount"], strict=True)) == {code: 10**n for code, n in decimals.items()}

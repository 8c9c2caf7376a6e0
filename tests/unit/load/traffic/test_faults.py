"""Each deliberate fault is what it says, at its own rate, and what must stay an event stays one."""

from __future__ import annotations

import itertools
from collections import Counter

import msgspec
import pytest

from clickstream import events
from clickstream.errors import Rejected
from clickstream.events import Purchase
from clickstream.load.traffic.faults import AHEAD_MS, AT_THE_DOOR, MALFORMED, NONE, OVERSIZED_BYTES, Emission, Rates
from clickstream.load.traffic.records import Traffic
from clickstream.load.traffic.shop.visitors import Shop

T0 = 1_700_000_000_000
SHOP = Shop(products=200, visitors=500, concurrent=50)
KINDS = ("retry", "late", "delayed", "old", "malformed", "oversized")


def _only(kind: str, rate: float) -> Rates:
    return msgspec.structs.replace(NONE, **{kind: rate})


def _sent(rates: Rates, count: int = 5_000, step_ms: int = 1) -> list[Emission]:
    traffic = Traffic(7, SHOP, rates)
    return [traffic.emit(T0 + n * step_ms) for n in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_comes_at_its_rate_and_no_other_comes(kind: str) -> None:
    rate = 0.002 if kind == "oversized" else 0.05
    kinds = Counter[str](emission.kind for emission in _sent(_only(kind, rate), 20_000))

    assert set(kinds) == {"event", kind}
    assert kinds[kind] == pytest.approx(20_000 * rate, rel=0.35)


def test_without_faults_there_are_none() -> None:
    assert {emission.kind for emission in _sent(NONE)} == {"event"}


def test_what_is_an_event_is_what_its_bytes_say_under_its_users_key() -> None:
    rates = Rates(retry=0.1, late=0.1, malformed=0.1, delayed=0.1, skewed=0.2, old=0.2)
    kinds = set()
    for emission in _sent(rates):
        kinds.add(emission.kind)
        if emission.event is not None:
            assert events.decode(emission.data) == emission.event
            assert emission.key == emission.event.user_id
    assert {"event", "retry", "late", "malformed", "delayed", "skewed", "old"} <= kinds


def test_a_retry_is_an_event_sent_shortly_before() -> None:
    sent: list[str] = []
    for emission in _sent(Rates(), 20_000):
        if emission.kind == "retry":
            assert emission.event is not None
            assert emission.event.event_id in sent[-500:]
        sent.append("" if emission.event is None else emission.event.event_id)


def test_event_ids_come_once_but_for_retries() -> None:
    first = [emission.event.event_id for emission in _sent(Rates(), 20_000) if emission.event and emission.kind != "retry"]

    assert len(first) == len(set(first))


def test_a_late_event_is_late_by_minutes() -> None:
    traffic = Traffic(3, SHOP, _only("late", 1.0))
    delays = [T0 - event.occurred_at for _ in range(500) if (event := traffic.emit(T0).event)]

    assert 0 <= min(delays) < 60_000 < max(delays) <= 5 * 60_000


def test_a_delayed_event_comes_after_later_ones_of_its_own_session() -> None:
    latest: dict[str, int] = {}
    overtaken = 0
    for n, emission in enumerate(_sent(_only("delayed", 0.05), 20_000, step_ms=5)):
        event = emission.event
        assert event is not None
        if emission.kind == "delayed":
            assert 0 <= T0 + 5 * n - event.occurred_at <= 5_000 + 5
            overtaken += event.occurred_at < latest.get(event.session_id, 0)
        latest[event.session_id] = max(latest.get(event.session_id, 0), event.occurred_at)
    assert overtaken > 100


def test_a_wrong_clock_is_wrong_by_the_same_for_all_of_a_users_events() -> None:
    errors: dict[str, set[int]] = {}
    for n, emission in enumerate(_sent(_only("skewed", 0.2))):
        assert emission.event is not None
        errors.setdefault(emission.event.user_id, set()).add(emission.event.occurred_at - (T0 + n))
    skewed = [wrong for wrongs in errors.values() for wrong in wrongs if wrong]

    assert all(len(wrongs) == 1 for wrongs in errors.values())
    assert len(skewed) == pytest.approx(0.2 * len(errors), rel=0.4)
    assert -10 * 60_000 <= min(skewed) < 0
    assert max(skewed) <= AHEAD_MS


def test_an_old_version_has_other_names_and_decimal_text_and_is_the_same_event() -> None:
    old = [emission for emission in _sent(_only("old", 1.0)) if isinstance(emission.event, Purchase)]

    assert len(old) > 50
    for emission in old:
        fields = msgspec.json.decode(emission.data)
        assert fields["schema_version"] == 1
        assert "." in fields["amount"]
        assert all("sku" in item and "product_id" not in item for item in fields["items"])
        assert events.decode(emission.data) == emission.event


def test_an_oversized_record_is_more_than_kinesis_takes() -> None:
    emission = next(each for each in _sent(_only("oversized", 0.01)) if each.kind == "oversized")

    assert emission.event is None
    assert len(emission.data) > OVERSIZED_BYTES > 1024 * 1024


@pytest.mark.parametrize("name", MALFORMED)
def test_each_malformed_record_must_be_refused(name: str) -> None:
    event = next(emission.event for emission in _sent(NONE, 100) if emission.event is not None)

    key, data = MALFORMED[name](event, events.encode(event))

    if name == "future":
        assert events.decode(data).occurred_at == event.occurred_at + 86_400_000
    elif name == "foreign key":
        assert key != events.decode(data).user_id
    else:
        with pytest.raises(Rejected):
            events.decode(data)


def test_what_only_a_reader_can_refuse_does_not_go_through_a_door() -> None:
    traffic = Traffic(7, SHOP, _only("malformed", 1.0), malformed=AT_THE_DOOR)
    bad = [traffic.emit(T0) for _ in range(300)]

    for emission in bad:
        with pytest.raises(Rejected):
            events.admit(events.decode(emission.data), emission.key, T0)
    assert len({emission.data[:40] for emission in itertools.islice(bad, 100)}) > 5

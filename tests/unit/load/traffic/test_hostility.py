"""What hostile clients send is what its label says: a reader takes what must count, and finds the fault where it must be."""

from __future__ import annotations

from collections import Counter

import pytest

from clickstream import events
from clickstream.errors import Rejected, Undecodable
from clickstream.load.traffic import bounds
from clickstream.load.traffic.faults import Emission
from clickstream.load.traffic.hostility import FLOOD, Hostiles
from clickstream.load.traffic.plan import Plan
from clickstream.load.traffic.unreadable_aggregates import unreadable_aggregates
from clickstream.load.traffic.unreadable_blocks import unreadable_blocks
from clickstream.load.verdict.derivation import purchases
from clickstream.load.verdict.send_log import SendLog
from clickstream.records.blocks import events_in

NOW = 1_796_000_000_000


def refused(data: bytes, key: str | None = None) -> str:
    """The path of the fault that a reader finds; "" when there is none."""
    try:
        event = events.decode(data)
        events.admit(event, event.user_id if key is None else key, NOW)
    except Rejected as error:
        return error.path
    return ""


def test_every_case_is_what_its_label_says() -> None:
    cases = list(bounds.cases("h"))
    wrong = [
        (case.name, case.path, found)
        for n, case in enumerate(cases)
        if (found := refused(bounds.encoded(bounds.laid_over(case, f"h-{n}", NOW)))) != case.path
    ]
    assert wrong == []
    assert sum(not case.path for case in cases) > 100
    assert sum(bool(case.path) for case in cases) > 100


def test_what_may_be_written_in_utf_8_means_the_same() -> None:
    for n, case in enumerate(case for case in bounds.cases("h") if not case.path):
        fields = bounds.laid_over(case, f"h-{n}", NOW)
        assert events.decode(bounds.encoded(fields)) == events.decode(bounds.encoded(fields, is_ascii=False))


def test_keys_stand_at_their_bounds_of_characters_and_of_bytes() -> None:
    keys = [case.fields["order_id"] for case in bounds.cases("h") if not case.path and "order_id" in case.fields]
    assert max(map(len, keys)) == 256
    assert max(len(key.encode()) for key in keys) in range(events.MOST_KEY_BYTES - 3, events.MOST_KEY_BYTES + 1)


def test_the_largest_events_stand_on_both_sides_of_the_bound() -> None:
    sizes = {case.name: len(bounds.encoded(bounds.laid_over(case, "h", NOW))) for case in bounds.cases("h")}
    assert events.MOST_EVENT_BYTES > sizes["as many bytes as an event may have"] > events.MOST_EVENT_BYTES * 0.75
    assert sizes["more bytes than an event may have"] > events.MOST_EVENT_BYTES


@pytest.mark.parametrize("rubbish", bounds.RUBBISH)
def test_rubbish_is_no_event_and_one_line(rubbish: bytes) -> None:
    assert refused(rubbish) == "$"
    assert b"\n" not in rubbish


@pytest.mark.parametrize("number", range(len(unreadable_blocks())))
def test_unreadable_blocks_stand_for_one_event_each_which_is_none(number: int) -> None:
    data = unreadable_blocks()[number]
    assert events_in(data) == [(0, data)]
    with pytest.raises(Undecodable):
        events.decode(data)


@pytest.mark.parametrize("aggregate", unreadable_aggregates())
def test_broken_aggregates_are_no_events_either(aggregate: bytes) -> None:
    with pytest.raises(Undecodable):
        events.decode(aggregate)


def _sent(records: int) -> list[Emission]:
    hostiles = Hostiles(1, 0.5, 0)
    victim = events.Login(event_id="victim", user_id="u", session_id="s", occurred_at=NOW)
    return [emission for n in range(records) if (emission := hostiles.emit(NOW + n, victim)) is not None]


def test_a_flood_is_in_a_row_and_of_one_shard() -> None:
    flood = [emission.key for emission in _sent(4_000) if emission.key.startswith("flood")]
    assert len(flood) == FLOOD
    assert len(set(flood)) == 1


def test_records_are_as_their_labels_and_the_same_again() -> None:
    sent = _sent(4_000)
    assert sent == _sent(4_000)
    for emission in sent:
        assert refused(emission.data, emission.key) == emission.path
        assert (emission.event is None) == bool(emission.path)
    assert {emission.kind for emission in sent} == {"event", "retry", "malformed"}


def test_used_ids_count_by_user_and_an_order_is_the_first_purchase() -> None:
    log = SendLog()
    for emission in _sent(4_000):
        log.record(emission)
    identities = Counter((entry.event.event_id, entry.event.user_id) for entry in log.entries)
    assert set(identities.values()) == {1}, "an id of the same user counts once"
    assert sum(event_id == "victim" for event_id, _ in identities) > 50, "another user's counts again"
    orders = Counter(bought.order_id for bought in purchases(log.entries, {}))
    assert max(orders.values()) > 1


def test_a_hostile_run_has_its_good_visitors_and_is_the_same_again() -> None:
    plan = Plan(rate=100, duration_s=60, seed=3, profile="hostile")
    sent = [emission for _, emission in plan.emissions(NOW)]
    assert sent == [emission for _, emission in plan.emissions(NOW)]
    hostile = sum(emission.key.startswith(("h", "u-h", "flood", "rubbish")) for emission in sent)
    assert FLOOD < hostile < len(sent) / 2
    assert plan.is_hostile
    assert not Plan(rate=100, duration_s=60).is_hostile

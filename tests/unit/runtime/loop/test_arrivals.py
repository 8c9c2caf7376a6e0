"""Up to when a shard has everything that arrived: what proves it, and what does not."""

from __future__ import annotations

import pytest

from clickstream.application import Held
from clickstream.consumers.runtime.progress.arrivals import CLOCKS_MS, Arrivals
from clickstream.progress.completeness import Arrival

AT = 1_800_000_000_000


def arrivals(told: Arrival = Arrival()) -> Arrivals:  # noqa: B008  a frozen value
    made = Arrivals("0-f", told)
    made.heard(AT, 0.0)
    return made


def arrived_to(of: Arrivals) -> int:
    of.given(Held.HOURS)
    return of.told("").arrived_to


def test_a_folded_record_vouches_for_what_arrived_before_it() -> None:
    shard = arrivals()
    shard.folded(5.0, 5.1, AT + 3_000, 10_000)
    assert arrived_to(shard) == AT + 3_000 - CLOCKS_MS
    # a shard's arrival times may go back a little
    shard.folded(6.0, 6.1, AT + 2_950, 10_000)
    assert arrived_to(shard) == AT + 3_000 - CLOCKS_MS


def test_two_quiet_reads_at_the_tip_vouch_for_the_moment_before_them() -> None:
    shard = arrivals()
    told = []
    for second in (10.0, 11.0, 12.0, 13.0):
        shard.waited()
        shard.folded(second, second, None, 0)
        told.append(arrived_to(shard))
    assert told == [0, 0, AT + 10_000 - CLOCKS_MS - 1, AT + 11_000 - CLOCKS_MS - 2]  # less the drift


@pytest.mark.parametrize("what", ["behind", "unknown", "handed over at once", "with records between"])
def test_other_empty_batches_vouch_for_nothing(what: str) -> None:
    shard = arrivals()
    for second in range(10, 20):
        if what != "handed over at once":
            shard.waited()
        if what == "with records between" and second % 2:
            shard.folded(second, second, AT, 0)
        else:
            shard.folded(second, second, None, {"behind": 1, "unknown": None}.get(what, 0))
    assert arrived_to(shard) == (AT - CLOCKS_MS if what == "with records between" else 0)


def test_without_kinesis_clock_there_is_no_time() -> None:
    shard = Arrivals("0-f", Arrival())
    for second in range(10, 20):
        shard.waited()
        shard.folded(second, second, None, 0)
    assert arrived_to(shard) == 0


def test_it_goes_on_from_what_the_last_owner_told() -> None:
    shard = arrivals(Arrival(arrived_to=AT + 9_000, whole_to=AT + 8_000))
    shard.folded(1.0, 1.0, AT + 10, 5)
    assert shard.told("{}") == Arrival(hash_range="0-f", arrived_to=AT + 9_000, whole_to=AT + 8_000, lateness="{}")
    shard.folded(10.0, 10.0, AT + 9_500, 5)
    for lacking, minutes, hours in ((Held.MINUTES, 9_000, 8_000), (Held.HOURS, 9_400, 8_000), (Held.NOTHING, 9_400, 9_400)):
        shard.given(lacking)
        assert (shard.told("").arrived_to, shard.told("").whole_to) == (AT + minutes, AT + hours)


def test_a_shard_that_still_works_on_what_was_read_at_the_tip_has_not_caught_up() -> None:
    shard = arrivals()
    shard.waited()
    shard.folded(10.0, 10.2, AT + 9_000, 0)
    assert shard.behind_ms == 0
    # a large batch that was read when the stream had no more; folding it took twenty seconds
    shard.waited()
    shard.folded(11.0, 31.0, AT + 10_900, 0)
    assert shard.behind_ms == 20_000
    # the next was read meanwhile
    shard.folded(31.0, 31.1, AT + 12_000, 0)
    assert 19_000 < shard.behind_ms < 20_100
    shard.folded(31.2, 31.2, None, 0)
    assert shard.behind_ms == 0
    # an old record that comes as soon as somebody reads is no lag once it is folded
    shard.waited()
    shard.folded(4_000.0, 4_000.1, AT + 13_000, 0)
    assert shard.behind_ms == 0

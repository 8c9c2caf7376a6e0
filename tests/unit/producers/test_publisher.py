"""The publisher's rules one by one: what is due when, and what an answer leads to."""

from __future__ import annotations

from math import inf

import pytest

from clickstream.errors import InvalidEvent, Missing, RetryLater, Throttled, TooLarge
from clickstream.records.aggregation import decode
from clickstream.records.routing import MAX_HASH_KEY, hash_key
from producers.publisher.limits import Limits, Pace
from producers.publisher.puts import CallFailed, Delivered, Failed, Placed, Refused
from producers.publisher.rules import Publisher
from tests.unit.producers.shards import HIGH, LOW, ONE, TWO, accept, events, puts, shard, the_put

# -- when


def test_an_event_waits_for_company_as_long_as_the_linger() -> None:
    publisher = Publisher(ONE, Limits(linger=0.1))
    assert publisher.wake_at == inf
    assert publisher.add("a", b"1", 5.0)
    assert publisher.wake_at == 5.1
    assert puts(publisher, 5.05) == []
    publisher.add("b", b"2", 5.09)
    assert events(the_put(publisher, 5.1).parcels[0]) == [b"1", b"2"]
    assert publisher.wake_at == inf


def test_a_full_record_waits_for_nothing() -> None:
    publisher = Publisher(ONE, Limits(aggregate_bytes=1_000))
    for _ in range(9):
        publisher.add("a", bytes(100), 0.0)
    assert publisher.wake_at == 0.1
    publisher.add("a", bytes(100), 0.0)
    assert publisher.wake_at == 0.0
    (parcel,) = the_put(publisher, 0.0).parcels
    assert 900 < len(parcel.data) <= 1_000


def test_flush_lets_what_was_added_so_far_wait_for_nothing() -> None:
    publisher = Publisher(ONE)
    publisher.add("a", b"1", 0.0)
    publisher.flush(0.01)
    assert publisher.wake_at == 0.01
    put = the_put(publisher, 0.01)
    accept(publisher, put, 0.02)
    publisher.add("a", b"2", 0.03)
    assert publisher.wake_at == pytest.approx(0.13)


def test_a_shard_is_written_at_its_share_of_the_limits() -> None:
    limits = Limits()
    publisher = Publisher(ONE, limits)
    now, size = 0.0, 0
    while now < 4.0:
        while publisher.add("a", bytes(256), now):
            pass
        for put in puts(publisher, now):
            size += sum(parcel.size for parcel in put.parcels)
            accept(publisher, put, now)
        now = max(publisher.wake_at, now)
    allowed = limits.shard_bytes_per_second * limits.shard_share
    assert 0.99 * allowed * now < size <= allowed * (now + Pace.CATCH_UP) + limits.aggregate_bytes


def test_small_plain_records_are_held_to_the_record_limit() -> None:
    limits = Limits(aggregate=False, buffer_bytes=2 * 1024 * 1024)
    publisher = Publisher(ONE, limits)
    now, records, number = 0.0, 0, 0
    while now < 3.0:
        while publisher.add(f"user-{number}", b"x", now):
            number += 1
        for put in puts(publisher, now):
            records += len(put.parcels)
            accept(publisher, put, now)
        now = max(publisher.wake_at, now)
    assert 0.97 * 976 <= records / now <= 976 + 100 / now


# -- what


def test_one_event_travels_plain_and_several_as_an_aggregate_inside_the_range() -> None:
    publisher = Publisher(TWO)
    publisher.add(HIGH[0], b"1", 0.0)
    publisher.add(LOW[0], b"2", 0.0)
    publisher.add(LOW[1], b"3", 0.0)
    low, high = the_put(publisher, 0.1).parcels
    assert (low.shard_id, low.partition_key) == ("low", LOW[0])
    assert low.explicit_hash_key == str(int.from_bytes(hash_key(LOW[0]), "big"))
    assert [(key, data) for key, _, data in decode(low.data)] == [(LOW[0], b"2"), (LOW[1], b"3")]
    assert (high.shard_id, high.partition_key, high.explicit_hash_key, high.data) == ("high", HIGH[0], None, b"1")


def test_an_event_too_large_for_an_aggregate_travels_alone_and_in_its_turn() -> None:
    publisher = Publisher(ONE, Limits(aggregate_bytes=1_000))
    sizes = [10, 10, 5_000, 10]
    for size in sizes:
        publisher.add("a", bytes(size), 0.0)
    seen: list[list[int]] = []
    now = 0.2
    while publisher.pending:
        put = the_put(publisher, now)
        seen.append([len(event) for event in events(put.parcels[0])])
        accept(publisher, put, now)
        now += 1
    assert seen == [[10, 10], [5_000], [10]]


def test_the_record_limit_is_kept_to_the_byte() -> None:
    publisher = Publisher(ONE)
    limit = publisher.limits.record_bytes
    assert publisher.add("é", bytes(limit - 2), 0.0)
    with pytest.raises(TooLarge):
        publisher.add("é", bytes(limit - 1), 0.0)
    assert (publisher.counters.events, publisher.counters.too_large, publisher.pending) == (1, 1, 1)


@pytest.mark.parametrize("key", ["", "k" * 257])
def test_an_unusable_partition_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidEvent):
        Publisher(ONE).add(key, b"", 0.0)


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        (Limits(put_records=2), [2, 2, 1]),
        (Limits(put_bytes=3_000, record_bytes=3_000, aggregate_bytes=1_000), [2, 2, 1]),
        (Limits(), [5]),
    ],
)
def test_calls_are_cut_to_what_kinesis_takes(limits: Limits, sizes: list[int]) -> None:
    fifth = (MAX_HASH_KEY + 1) // 5
    ends = [fifth * (index + 1) - 1 for index in range(4)] + [MAX_HASH_KEY]
    publisher = Publisher([shard(str(index), fifth * index, end) for index, end in enumerate(ends)], limits)
    homes: set[int] = set()
    for key in LOW + HIGH:
        home = min(int.from_bytes(hash_key(key), "big") // fifth, 4)
        if home not in homes:
            homes.add(home)
            publisher.add(key, bytes(1_200), 0.0)
    assert [len(put.parcels) for put in puts(publisher, 1.0)] == sizes


def test_plain_records_of_one_call_have_different_users_and_keep_each_users_order() -> None:
    publisher = Publisher(ONE, Limits(aggregate=False))
    added = [(f"user-{number % 150}", b"%d" % number) for number in range(400)] + [("user-0", b"last")]
    for key, data in added:
        publisher.add(key, data, 0.0)
    sent: dict[str, list[bytes]] = {}
    now = 1.0
    while publisher.pending:
        put = the_put(publisher, now)
        keys = [parcel.partition_key for parcel in put.parcels]
        assert len(keys) == len(set(keys)) <= 100
        for parcel in put.parcels:
            sent.setdefault(parcel.partition_key, []).append(parcel.data)
        accept(publisher, put, now)
        now += 1
    assert sent == {key: [data for each, data in added if each == key] for key, _ in added}


# -- back-pressure


def test_a_full_buffer_refuses_until_something_is_settled() -> None:
    publisher = Publisher(ONE, Limits(buffer_bytes=10_000, record_bytes=8_000, aggregate_bytes=4_000))
    while publisher.add("a", bytes(1_000), 0.0):
        pass
    assert 6_000 < publisher.pending_bytes <= 10_000
    put = the_put(publisher, 0.1)
    assert not publisher.add("a", bytes(1_000), 0.1)
    accept(publisher, put, 0.2)
    assert publisher.add("a", bytes(1_000), 0.2)


# -- failures


def test_what_failed_is_put_again_alone_after_a_growing_jittered_wait() -> None:
    limits = Limits(backoff=1.0, backoff_limit=4.0)
    publisher = Publisher(TWO, limits)
    publisher.add(LOW[0], b"low", 0.0)
    publisher.add(HIGH[0], b"high", 0.0)
    now = 1.0
    put = the_put(publisher, now)
    for longest in (1.0, 2.0, 4.0, 4.0):
        low, *others = put.parcels
        assert low.data == b"low"
        publisher.on_result(put, [Refused(Throttled("busy")), *(Placed(other.shard_id, "1") for other in others)], now)
        # the queue waits behind the retry
        publisher.add(LOW[0], b"later", now)
        assert now + longest / 2 <= publisher.wake_at <= now + longest
        assert puts(publisher, now + longest / 2 - 0.01) == []
        now = publisher.wake_at
        put = the_put(publisher, now)
        assert [parcel.data for parcel in put.parcels] == [b"low"]
    accept(publisher, put, now)
    assert events(the_put(publisher, now + 1).parcels[0]) == [b"later"] * 4
    counters = publisher.counters
    assert (counters.throttled, counters.retried, counters.delivered, counters.calls) == (4, 4, 2, 5)


def test_the_other_shard_does_not_wait() -> None:
    publisher = Publisher(TWO)
    publisher.add(LOW[0], b"low", 0.0)
    first = the_put(publisher, 0.1)
    publisher.add(LOW[1], b"low again", 0.1)
    publisher.add(HIGH[0], b"high", 0.1)
    second = the_put(publisher, 0.5)
    assert [parcel.data for parcel in second.parcels] == [b"high"]
    accept(publisher, first, 0.6)
    assert [parcel.data for parcel in the_put(publisher, 0.7).parcels] == [b"low again"]


def test_a_call_that_failed_for_good_is_taken_apart_so_that_one_record_spoils_no_other() -> None:
    publisher = Publisher(TWO)
    publisher.add(LOW[0], b"low", 0.0, token="low")
    publisher.add(HIGH[0], b"high", 0.0, token="high")
    never = CallFailed(Missing("no"), again=False)
    publisher.on_result(the_put(publisher, 0.1), never, 0.1)
    first, second = puts(publisher, 1.0)
    publisher.on_result(first, never, 1.0)
    accept(publisher, second, 1.0)
    failed, delivered = publisher.settled()
    assert isinstance(failed, Failed)
    assert (failed.token, failed.key, failed.data) == ("low", LOW[0], b"low")
    assert delivered == Delivered("high", "high", "1")
    assert publisher.settled() == []
    assert (publisher.pending, publisher.pending_bytes) == (0, 0)


def test_a_call_that_may_succeed_later_is_repeated_as_it_was() -> None:
    publisher = Publisher(ONE)
    publisher.add("a", b"1", 0.0)
    put = the_put(publisher, 0.1)
    publisher.on_result(put, CallFailed(Throttled("slower"), again=True, throttled=True), 0.1)
    assert the_put(publisher, 1.0) == put


def test_an_event_that_is_never_accepted_expires_at_its_time() -> None:
    publisher = Publisher(ONE, Limits(time_to_live=1.0, backoff_limit=0.3))
    publisher.add("a", b"old", 0.0)
    publisher.add("b", b"young", 0.09)
    now = 0.1
    while not (settled := publisher.settled()):
        for put in puts(publisher, now):
            publisher.on_result(put, [Refused(RetryLater("busy"))], now)
        now = publisher.wake_at
    assert 1.0 <= now <= 1.3
    (failed,) = settled
    assert isinstance(failed, Failed)
    assert (failed.data, type(failed.error)) == (b"old", RetryLater)
    assert publisher.pending == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"aggregate_bytes": 1024 * 1024},
        {"record_bytes": 6 * 1024 * 1024},
        {"buffer_bytes": 1_000},
        {"shard_share": 0.0},
        {"shard_share": 1.1},
    ],
)
def test_limits_that_contradict_each_other_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must fit|fraction"):
        Limits(**wrong)  # type: ignore[arg-type]  # numbers of both kinds

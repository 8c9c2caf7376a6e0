"""The publisher's rules one by one: what is due when, and what an answer leads to."""

from __future__ import annotations

from math import inf

import pytest

from clickstream.errors import InvalidEvent, Rejected, RetryLater, Throttled, TooLarge
from clickstream.producers.publisher.limits import Limits, Pace
from clickstream.producers.publisher.packing import Records
from clickstream.producers.publisher.puts import CallFailed, Delivered, Failed, Parcel, Placed, Refused
from clickstream.producers.publisher.rules import Publisher
from clickstream.records.aggregation import is_aggregated
from clickstream.records.routing import MAX_HASH_KEY, hash_key
from tests.unit.producers.shards import HIGH, LOW, ONE, TWO, accept, events, puts, shard, the_put

KINDS: tuple[Records, ...] = ("zstd", "gzip", "ndjson", "kpl")

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


@pytest.mark.parametrize("records", KINDS)
def test_a_full_record_waits_for_nothing(records: Records) -> None:
    publisher = Publisher(ONE, Limits(records=records, pack_bytes=1_000))
    for _ in range(9):
        publisher.add("a", b"." * 100, 0.0)
    assert publisher.wake_at == 0.1
    publisher.add("a", b"." * 100, 0.0)
    assert publisher.wake_at == 0.0
    (parcel,) = the_put(publisher, 0.0).parcels
    assert events(parcel) == [b"." * 100] * 9
    assert len(parcel.data) <= 1_000


def test_a_record_is_full_of_lines_too() -> None:
    publisher = Publisher(ONE, Limits(pack_lines=3))
    for number in range(7):
        publisher.add("a", b"%d" % number, 0.0)
        assert publisher.wake_at == (0.1 if number < 2 else 0.0)
    put = the_put(publisher, 0.0)
    assert events(put.parcels[0]) == [b"0", b"1", b"2"]
    accept(publisher, put, 0.0)
    assert events(the_put(publisher, 0.01).parcels[0]) == [b"3", b"4", b"5"]


@pytest.mark.parametrize(("later", "shards"), [(0.05, ["low", "high"]), (0.06, ["low"])])
def test_what_has_waited_half_of_the_linger_shares_the_call_of_another_shard(later: float, shards: list[str]) -> None:
    publisher = Publisher(TWO, Limits(linger=0.1))
    publisher.add(LOW[0], b"1", 0.0)
    publisher.add(HIGH[0], b"2", later)
    assert puts(publisher, 0.09) == []
    assert [parcel.shard_id for parcel in the_put(publisher, 0.1).parcels] == shards


def test_a_shard_that_backs_off_shares_no_call() -> None:
    publisher = Publisher(TWO, Limits(backoff=10.0, backoff_limit=10.0))
    publisher.add(LOW[0], b"1", 0.0)
    publisher.on_result(the_put(publisher, 0.1), [Refused(Throttled("busy"))], 0.1)
    publisher.add(HIGH[0], b"2", 0.1)
    assert [parcel.shard_id for parcel in the_put(publisher, 0.2).parcels] == ["high"]


def test_flush_lets_what_was_added_so_far_wait_for_nothing() -> None:
    publisher = Publisher(ONE)
    publisher.add("a", b"1", 0.0)
    publisher.flush(0.01)
    assert publisher.wake_at == 0.01
    put = the_put(publisher, 0.01)
    accept(publisher, put, 0.02)
    publisher.add("a", b"2", 0.03)
    assert publisher.wake_at == pytest.approx(0.13)


@pytest.mark.parametrize(("records", "ratio"), [("kpl", 1.0), ("ndjson", 1.0), ("zstd", 4.0), ("gzip", 4.0)])
def test_a_shard_is_written_at_its_share_of_the_limits(records: Records, ratio: float) -> None:
    """Of the bytes that are really put: what is compressed brings more events through the same shard."""
    limits = Limits(records=records)
    publisher = Publisher(ONE, limits)
    now, size, number = 0.0, 0, 0
    while now < 4.0:
        while publisher.add("a", b"%08d" % number * 32, now):
            number += 1
        for put in puts(publisher, now):
            size += sum(parcel.size for parcel in put.parcels)
            accept(publisher, put, now)
        now = max(publisher.wake_at, now)
    allowed = limits.shard_bytes_per_second * limits.shard_share
    assert 0.99 * allowed * now < size <= allowed * (now + Pace.CATCH_UP) + limits.full_bytes
    assert publisher.counters.delivered * 256 > 0.9 * ratio * size


def test_small_plain_records_are_held_to_the_record_limit() -> None:
    limits = Limits(records="single", buffer_bytes=2 * 1024 * 1024)
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


@pytest.mark.parametrize("records", KINDS)
def test_one_event_travels_plain_and_several_together_inside_the_range(records: Records) -> None:
    publisher = Publisher(TWO, Limits(records=records))
    publisher.add(HIGH[0], b"1", 0.0)
    publisher.add(LOW[0], b"2", 0.0)
    publisher.add(LOW[1], b"3", 0.0)
    low, high = the_put(publisher, 0.1).parcels
    assert (low.shard_id, low.partition_key) == ("low", LOW[0])
    assert low.explicit_hash_key == str(int.from_bytes(hash_key(LOW[0]), "big"))
    assert events(low) == [b"2", b"3"]
    assert is_aggregated(low.data) == (records == "kpl")
    assert (high.shard_id, high.partition_key, high.explicit_hash_key, high.data) == ("high", HIGH[0], None, b"1")


def sent(publisher: Publisher) -> list[list[bytes]]:
    """The records of one shard in their order, until nothing is left."""
    records = []
    now = 0.2
    while publisher.pending:
        put = the_put(publisher, now)
        records.append(events(put.parcels[0]))
        accept(publisher, put, now)
        now += 1
    return records


@pytest.mark.parametrize("records", KINDS)
def test_an_event_too_large_for_company_travels_alone_and_in_its_turn(records: Records) -> None:
    publisher = Publisher(ONE, Limits(records=records, pack_bytes=1_000))
    for size in (10, 10, 5_000, 10):
        publisher.add("a", b"." * size, 0.0)
    assert [[len(event) for event in record] for record in sent(publisher)] == [[10, 10], [5_000], [10]]


@pytest.mark.parametrize("odd", [b'{\n"a":1}', b"", b" \t", b"\x28\xb5\x2f\xfd.", b"\x1f\x8b.", b"\xf3\x89\x9a\xc2."])
def test_what_is_no_line_for_a_reader_spoils_no_others_record(odd: bytes) -> None:
    publisher = Publisher(ONE, Limits(records="ndjson"))
    for event in (b"1", b"2", odd, b"3", b"4"):
        publisher.add("a", event, 0.0)
    together, *others = [put_alone(publisher, 0.2 + now) for now in range(3)]
    assert [parcel.data for parcel in (together, *others)] == [b"1\n2\n", odd, b"3\n4\n"]


def put_alone(publisher: Publisher, now: float) -> Parcel:
    put = the_put(publisher, now)
    accept(publisher, put, now)
    (parcel,) = put.parcels
    return parcel


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
        (Limits(put_bytes=3_000, record_bytes=3_000, pack_bytes=1_000), [2, 2, 1]),
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
    publisher = Publisher(ONE, Limits(records="single"))
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
    publisher = Publisher(ONE, Limits(buffer_bytes=10_000, record_bytes=8_000, pack_bytes=4_000))
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
    never = CallFailed(Rejected("no"))
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
    publisher.on_result(put, CallFailed(Throttled("slower")), 0.1)
    assert the_put(publisher, 1.0) == put


def test_an_event_that_is_never_accepted_expires_at_its_time() -> None:
    publisher = Publisher(ONE, Limits(time_to_live=1.0, backoff_limit=0.3))
    publisher.add("a", b"old", 0.0)
    publisher.add("b", b"young", 0.09, token="young")
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
    # what is left of the record goes on without it
    put = the_put(publisher, publisher.wake_at)
    assert events(put.parcels[0]) == [b"young"]
    accept(publisher, put, 1.08)
    assert publisher.settled() == [Delivered("young", "whole", "1")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"pack_bytes": 1024 * 1024},
        {"pack_lines": 10_001},
        {"record_bytes": 6 * 1024 * 1024},
        {"buffer_bytes": 1_000},
        {"shard_share": 0.0},
        {"shard_share": 1.1},
    ],
)
def test_limits_that_contradict_each_other_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must fit|fraction"):
        Limits(**wrong)  # type: ignore[arg-type]  # numbers of both kinds

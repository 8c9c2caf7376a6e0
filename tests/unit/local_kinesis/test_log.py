from __future__ import annotations

from clickstream.infra.local.kinesis.model.log import Record, ShardLog


def filled(count: int) -> ShardLog:
    log = ShardLog()
    for number in range(count):
        log.append(f"k{number}", b"x" * 10, 12, 1000 + number)
    return log


def counters(records: list[Record]) -> list[int]:
    return [record.counter for record in records]


def test_reads_from_a_counter_on_up_to_a_limit() -> None:
    log = filled(10)
    assert counters(log.read(4, 3, 10**6)) == [4, 5, 6]
    assert counters(log.read(9, 100, 10**6)) == [9, 10]
    assert log.read(11, 100, 10**6) == []


def test_reads_at_most_so_many_bytes_but_always_one_record() -> None:
    log = filled(10)
    assert counters(log.read(1, 100, 36)) == [1, 2, 3]
    assert counters(log.read(1, 100, 35)) == [1, 2]
    assert counters(log.read(1, 100, 1)) == [1]


def test_trims_by_time_and_reads_on_from_what_is_left() -> None:
    log = filled(10)
    log.trim(horizon_ms=1004, max_bytes=None)
    assert log.first_counter == 5
    assert len(log) == 6
    assert counters(log.read(1, 2, 10**6)) == [5, 6]


def test_trims_by_bytes_oldest_first() -> None:
    log = filled(10)
    log.trim(horizon_ms=0, max_bytes=36)
    assert counters(log.read(1, 100, 10**6)) == [8, 9, 10]
    assert log.size == 36


def test_trimmed_records_are_let_go_and_the_list_is_compacted() -> None:
    log = filled(5000)
    log.trim(horizon_ms=1000 + 4000, max_bytes=None)
    assert len(log._records) == 1000
    assert log.first_counter == 4001
    log.append("k", b"", 1, 9999)
    assert counters(log.read(5000, 5, 10**6)) == [5000, 5001]


def test_an_empty_log_starts_where_it_ends() -> None:
    log = filled(3)
    log.trim(horizon_ms=10**9, max_bytes=None)
    assert log.first_counter == log.next_counter == 4
    assert log.peek(1) is None


def test_finds_the_first_record_at_or_after_a_time() -> None:
    log = ShardLog()
    for arrival_ms in (100, 200, 200, 300):
        log.append("k", b"", 1, arrival_ms)
    assert [log.counter_at_time(ms) for ms in (0, 100, 101, 200, 201, 300, 301)] == [1, 1, 2, 2, 4, 4, 5]


def test_arrival_times_do_not_go_back_with_the_clock() -> None:
    log = ShardLog()
    log.append("k", b"", 1, 500)
    assert log.append("k", b"", 1, 400).arrival_ms == 500


def test_positions_hold_over_a_gap_in_the_counters() -> None:
    log = filled(3)
    log.next_counter += 1000  # as after a restart
    log.append("k", b"", 1, 5000)
    log.append("k", b"", 1, 5001)
    assert counters(log.read(3, 10, 10**6)) == [3, 1004, 1005]
    assert counters(log.read(4, 10, 10**6)) == [1004, 1005]
    assert counters(log.read(1005, 10, 10**6)) == [1005]

"""The account of a stream: what is lost, doubled, out of order or in a shard of others, by records made by hand."""

from __future__ import annotations

from hashlib import md5

import pytest
import zstandard
from aws_kinesis_agg import aggregator

from clickstream.load.benchmarks.publishing.read_back import Account, Read, account

_LAST = 2**128 - 1
#: Each user's two events, by turns.
_SENT = [(user, f'{{"user_id":"{user}","n":{n}}}'.encode()) for n in range(2) for user in ("ann", "bob")]
_ANN_1, _BOB_1, _ANN_2, _BOB_2 = (data for _, data in _SENT)


def _whole(*events: bytes) -> Read:
    return Read(0, _LAST, b"\n".join(events))


def _found(*records: Read, whole_records: bool = False) -> Account:
    return account(_SENT, records, whole_records=whole_records)


def _nothing(**but: int) -> Account:
    return Account(**({"lost": 0, "doubled": 0, "disordered": 0, "foreign": 0} | but))


def _aggregate(*events: tuple[str, bytes]) -> bytes:
    collecting = aggregator.RecordAggregator()
    for user, event in events:
        collecting.add_user_record(user, event)
    data: bytes = collecting.clear_and_get().get_contents()[2]
    return data


@pytest.mark.parametrize(
    "data",
    [
        b"\n".join(event for _, event in _SENT),
        zstandard.compress(b"\n".join(event for _, event in _SENT) + b"\n"),
        _aggregate(*_SENT),
    ],
    ids=["lines", "zstd", "aggregate"],
)
def test_a_record_of_any_format_is_opened(data: bytes) -> None:
    assert _found(Read(0, _LAST, data)) == _nothing()


@pytest.mark.parametrize(
    ("records", "what"),
    [
        ([_whole(_ANN_1, _BOB_1, _ANN_2)], {"lost": 1}),
        ([_whole(_ANN_1, _BOB_1), _whole(_ANN_2, _BOB_2, _ANN_1)], {"doubled": 1}),
        ([_whole(_ANN_2, _BOB_1), _whole(_ANN_1, _BOB_2)], {"disordered": 1}),
        ([_whole(_BOB_1, _BOB_2), _whole(_ANN_1, _ANN_2)], {}),
    ],
    ids=["lost", "doubled", "out of order", "users apart"],
)
def test_what_a_stream_lacks_or_has_too_much_of_is_counted(records: list[Read], what: dict[str, int]) -> None:
    assert _found(*records) == _nothing(**what)


def test_a_foreign_event_is_passed_over_alone_or_with_its_record() -> None:
    ann = int.from_bytes(md5(b"ann", usedforsecurity=False).digest(), "big")
    mixed = Read(ann, ann, _aggregate(*_SENT))

    assert _found(mixed) == _nothing(lost=2, foreign=2)
    assert _found(mixed, whole_records=True) == _nothing(lost=4, foreign=2)
    assert _found(mixed, _whole(_BOB_1, _BOB_2)) == _nothing(foreign=2)

"""The codec against aws-kinesis-agg in both directions, and its size accounting to the byte."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream.errors import Undecodable
from clickstream.records.aggregation import ENVELOPE_BYTES, Aggregate, UserRecord, decode, is_aggregated
from tests import kpl

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | st.sampled_from(["a", "ключ", "k" * 256])
hash_keys = st.none() | st.integers(0, 2**128 - 1).map(str)
data = st.binary(max_size=300) | st.integers(100, 20_000).map(lambda size: b"x" * size)
records = st.lists(st.tuples(keys, data), max_size=60)


Peer = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def peer() -> Peer:
    """aws-kinesis-agg's reader, with the import path put back as it was."""
    path = sys.path[:]
    from aws_kinesis_agg.deaggregator import deaggregate_records

    sys.path[:] = path
    read: Peer = deaggregate_records
    return read


def aggregated(pairs: list[tuple[str, bytes]]) -> Aggregate:
    aggregate = Aggregate(10**9)
    for key, payload in pairs:
        assert aggregate.add(key, payload)
    return aggregate


def as_decoded(pairs: list[tuple[str, bytes]]) -> list[UserRecord]:
    return [(key, None, payload) for key, payload in pairs]


@given(records)
def test_round_trip(pairs: list[tuple[str, bytes]]) -> None:
    encoded = aggregated(pairs).encode()
    assert is_aggregated(encoded)
    assert decode(encoded) == as_decoded(pairs)


@given(records)
def test_the_size_is_known_to_the_byte(pairs: list[tuple[str, bytes]]) -> None:
    aggregate = Aggregate(10**9)
    assert aggregate.size == ENVELOPE_BYTES
    for key, payload in pairs:
        aggregate.add(key, payload)
        assert len(aggregate.encode()) == aggregate.size


@given(records, st.integers(ENVELOPE_BYTES, 3_000))
def test_an_aggregate_takes_exactly_what_fits(pairs: list[tuple[str, bytes]], limit: int) -> None:
    aggregate = Aggregate(limit)
    taken: list[tuple[str, bytes]] = []
    for key, payload in pairs:
        fits = aggregated([*taken, (key, payload)]).size <= limit
        assert aggregate.add(key, payload) == fits
        if fits:
            taken.append((key, payload))
    assert aggregate.count == len(taken)
    assert decode(aggregate.encode()) == as_decoded(taken)


@given(st.lists(st.tuples(keys, data), max_size=60), st.integers(ENVELOPE_BYTES, 3_000))
def test_filling_stops_at_the_first_that_does_not_fit(pairs: list[tuple[str, bytes]], limit: int) -> None:
    by_one, at_once = Aggregate(limit), Aggregate(limit)
    added = 0
    while added < len(pairs) and by_one.add(*pairs[added]):
        added += 1
    assert at_once.fill(pairs) == added
    assert at_once.encode() == by_one.encode()


@given(st.lists(st.tuples(keys, data), min_size=1, max_size=30))
def test_the_peer_reads_ours(peer: Peer, pairs: list[tuple[str, bytes]]) -> None:
    kinesis = {
        "kinesisSchemaVersion": "1.0",
        "sequenceNumber": "1",
        "approximateArrivalTimestamp": 0,
        "partitionKey": "a",
        "data": base64.b64encode(aggregated(pairs).encode()),
    }
    read = [each["kinesis"] for each in peer([{"kinesis": kinesis}])]
    assert [(each["partitionKey"], base64.b64decode(each["data"])) for each in read] == pairs
    assert [each["explicitHashKey"] for each in read] == [None] * len(pairs)
    assert [each["subSequenceNumber"] for each in read] == list(range(len(pairs)))


@given(st.lists(st.tuples(keys, hash_keys, st.binary(max_size=300)), min_size=1, max_size=30))
def test_we_read_the_peers(user_records: list[UserRecord]) -> None:
    assert decode(kpl.aggregated(user_records)) == user_records


@given(records.filter(bool), st.data())
def test_a_damaged_aggregate_is_refused_whole(pairs: list[tuple[str, bytes]], draw: st.DataObject) -> None:
    encoded = bytearray(aggregated(pairs).encode())
    if draw.draw(st.booleans()):
        del encoded[draw.draw(st.integers(4, len(encoded) - 1)) :]
    else:
        encoded[draw.draw(st.integers(0, len(encoded) - 1))] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(Undecodable):
        decode(bytes(encoded))


@given(st.binary(max_size=60))
def test_any_protobuf_under_a_right_digest_is_decoded_or_refused(message: bytes) -> None:
    sealed = b"\xf3\x89\x9a\xc2" + message + md5(message).digest()
    decoder: Callable[[bytes], list[UserRecord]] = decode
    try:
        user_records = decoder(sealed)
    except Undecodable:
        return
    assert all(isinstance(key, str) and isinstance(payload, bytes) for key, _, payload in user_records)

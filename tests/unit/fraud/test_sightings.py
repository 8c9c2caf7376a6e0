"""A key that is seen for ever, through hundreds of reshards: its item stays small, and its features stay what they are."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.consumers.fraud.crossing.sightings import SightingsTable
from clickstream.consumers.fraud.fold import CROSSING
from clickstream.consumers.fraud.needs import SIGHTINGS
from clickstream.models.features.crossing import MOST_FOLDED, Part, seen
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.records.position import Position
from tests.unit.fraud import shop
from tests.unit.fraud.shopping import HOUR_MS, START_MS

(TRACK,) = [track for track in PURCHASES.tracks if track.name == "by_device"]
KEY = seen(TRACK, "everybody's")
FULL = 64
GENERATIONS = 400


def history(*observations: tuple[int, float]) -> bytes:
    """(time, user): what a shard tells of the device."""
    return b"".join(struct.pack(">4d", time, user, 7.0, 1.0) for time, user in sorted(observations))


def features(parts: list[bytes], at_ms: int) -> list[str]:
    """What a purchase at this time is told by the parts."""
    own = [Part(KEY, b"") if track is TRACK else Part("", b"") for track in PURCHASES.tracks if track.crosses]
    filled = CROSSING.filled([0.0] * len(PURCHASES.names), own, at_ms, {KEY: parts})
    return [repr(filled[place]) for place in CROSSING.places]


observation = st.tuples(st.integers(0, 48).map(lambda hours: START_MS - hours * HOUR_MS), st.integers(1, 9).map(float))


@given(st.lists(st.lists(observation, min_size=1, max_size=20), min_size=1, max_size=12), st.integers(0, 24))
def test_folded_parts_read_like_the_parts(shards: list[list[tuple[int, float]]], late_h: int) -> None:
    parts = [history(*each) for each in shards]
    newest_ms = max(time for each in shards for time, _ in each)
    folded: bytes | None = b""
    for part in parts:  # one after the other, as shards end
        assert folded is not None
        folded = CROSSING.folded(KEY, [part, folded])
    assert folded is not None
    for at_ms in (newest_ms - late_h * HOUR_MS, newest_ms, newest_ms + HOUR_MS, newest_ms + 23 * HOUR_MS):
        assert features([folded], at_ms) == features(parts, at_ms)


def test_the_key_of_another_definition_is_left_alone() -> None:
    assert CROSSING.folded("by_device.00000000:x", [b"?"]) is None


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(shop.SETTINGS)
        shop.create(clients)
        yield clients


def shard_id(number: int) -> str:
    return f"shardId-{number:012d}"


def item(clients: Clients) -> dict[str, Any]:
    return dict(clients.dynamodb.get_item(TableName=SIGHTINGS.of(shop.SETTINGS), Key={"seen": {"S": KEY}})["Item"])


def table(clients: Clients, number: int, ended: set[str]) -> SightingsTable:
    return SightingsTable(clients.dynamodb, SIGHTINGS.of(shop.SETTINGS), shard_id(number), ended=lambda: ended)


@pytest.mark.parametrize("is_read", [True, False])
def test_four_hundred_generations_of_shards(clients: Clients, is_read: bool) -> None:
    """Each tells a full part and ends; on main the item is too large for DynamoDB after some 190."""
    ended: set[str] = set()
    told: list[tuple[int, float]] = []
    for number in range(GENERATIONS):
        mine = [(START_MS + number * FULL + n, float(number)) for n in range(FULL)]
        told += mine
        sightings = table(clients, number, ended)
        sightings.write([Part(KEY, history(*mine))], Position(number))
        if is_read:
            sightings.others([KEY])
        ended.add(shard_id(number))
    assert len(table(clients, GENERATIONS, ended).others([KEY])[KEY]) <= GENERATIONS // 2
    found = b"".join(table(clients, GENERATIONS, ended).others([KEY])[KEY])
    latest = {found[at : at + 32] for at in range(0, len(found), 32)}
    # nothing twice, and of all the latest
    assert len(latest) == len(found) // 32
    assert {history(each) for each in told[-MOST_FOLDED:]} <= latest
    assert sum(len(str(value)) for value in item(clients).values()) < 4 * 400_000


def test_who_wakes_up_in_an_ended_shard_tells_nothing_twice(clients: Clients) -> None:
    ended = {shard_id(number) for number in range(8)}
    parts = [Part(KEY, history((START_MS + number, 1.0))) for number in range(8)]
    for number, part in enumerate(parts):
        table(clients, number, set()).write([part], Position(1))
    live = table(clients, 9, ended)
    before = sorted(b"".join(live.others([KEY])[KEY]))
    assert "folded" in item(clients)
    for number, part in enumerate(parts):
        table(clients, number, set()).write([part], Position(2))
    assert sorted(b"".join(live.others([KEY])[KEY])) == before

"""What ``clickstream tail`` reads, when, and how it takes records apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import click
import pytest

from clickstream.consumers.looking.tail import parse_since
from clickstream.records.following import Lineage
from clickstream.records.reading import Start
from clickstream.records.routing import WHOLE_SPACE, Shard

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("TRIM_HORIZON", Start("TRIM_HORIZON")),
        ("latest", Start("LATEST")),
        ("90s", Start("AT_TIMESTAMP", NOW - timedelta(seconds=90))),
        ("10m", Start("AT_TIMESTAMP", NOW - timedelta(minutes=10))),
        ("2h", Start("AT_TIMESTAMP", NOW - timedelta(hours=2))),
        ("7d", Start("AT_TIMESTAMP", NOW - timedelta(days=7))),
        ("2026-11-24T10:00:00Z", Start("AT_TIMESTAMP", datetime(2026, 11, 24, 10, tzinfo=UTC))),
        ("2026-11-24T10:00", Start("AT_TIMESTAMP", datetime(2026, 11, 24, 10, tzinfo=UTC))),
        ("2026-11-24T10:00+02:00", Start("AT_TIMESTAMP", datetime(2026, 11, 24, 10, tzinfo=timezone(timedelta(hours=2))))),
    ],
)
def test_since(text: str, start: Start) -> None:
    assert parse_since(text, int(NOW.timestamp() * 1000)) == start


@pytest.mark.parametrize("text", ["", "10", "m", "yesterday", "-5m", "9999999d", "20261130"])
def test_an_unreadable_since_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter):
        parse_since(text, int(NOW.timestamp() * 1000))


def shard(name: str, *parents: str) -> Shard:
    return Shard(shard_id=name, hash_range=WHOLE_SPACE, parents=parents)


def readable(lineage: Lineage) -> list[str]:
    return [each.shard_id for each in lineage.take_readable()]


def test_a_child_waits_for_all_its_parents() -> None:
    lineage = Lineage([shard("a"), shard("b"), shard("ab", "a", "b"), shard("c", "long gone")])
    assert readable(lineage) == ["a", "b", "c"]
    lineage.ended("a")
    assert readable(lineage) == []
    lineage.ended("b")
    assert readable(lineage) == ["ab"]
    assert readable(lineage) == []


def test_a_merged_child_waits_for_a_parent_that_is_itself_a_child_not_heard_of_yet() -> None:
    """c was split into c1 and c2, then a merged with c1. What a's last read names is the merged shard alone."""
    listing = [shard("a"), shard("c"), shard("c1", "c"), shard("c2", "c"), shard("a+c1", "a", "c1")]
    lineage = Lineage(listing[:2])
    assert readable(lineage) == ["a", "c"]
    lineage.ended("a")
    lineage.learn(listing)
    assert readable(lineage) == []
    lineage.ended("c")
    lineage.learn(listing)
    assert readable(lineage) == ["c1", "c2"]
    lineage.ended("c1")
    assert readable(lineage) == ["a+c1"]


def test_what_is_older_than_the_beginning_is_not_read() -> None:
    """From LATEST on only open shards are known at first; the listing has their closed ancestors too."""
    lineage = Lineage([shard("new")])
    assert readable(lineage) == ["new"]
    lineage.ended("new")
    lineage.learn([shard("old"), shard("new", "old"), shard("newest", "new"), shard("sibling", "old")])
    assert readable(lineage) == ["newest"]


def test_both_parents_tell_of_a_merged_child_and_it_is_read_once() -> None:
    lineage = Lineage([shard("a"), shard("b")])
    assert readable(lineage) == ["a", "b"]
    for parent in ("a", "b"):
        lineage.ended(parent)
        lineage.learn([shard("ab", "a", "b")])
    assert readable(lineage) == ["ab"]
    lineage.learn([shard("a"), shard("ab", "a", "b")])
    assert readable(lineage) == []

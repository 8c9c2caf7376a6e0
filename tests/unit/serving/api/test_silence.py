"""How long a shard's owner has been silent, how far the shard is behind then, and when that is meant. Pure."""

from __future__ import annotations

import msgspec
import pytest

from clickstream.progress.shards_table import SILENT_MS, ShardProgress
from clickstream.serving.api.progress import applications, shards
from clickstream.serving.progress import halted

NOW = 1_795_527_440_000
WELL = ShardProgress(application="analytics", shard="shardId-000000000000", owner="w1", behind_ms=0, updated_at=NOW - 500)


def test_the_lag_of_a_silent_shard_grows() -> None:
    rows = [msgspec.structs.replace(WELL, behind_ms=340, updated_at=NOW - age) for age in (SILENT_MS, 60_000, 120_000)]
    assert [row.lag_ms(NOW) for row in rows] == [340, 60_340, 120_340]
    never = msgspec.structs.replace(rows[2], behind_ms=None)
    assert (never.lag_ms(NOW), msgspec.structs.replace(never, updated_at=NOW).lag_ms(NOW)) == (120_000, None)


def test_a_word_after_the_retirement_ends_it() -> None:
    row = msgspec.structs.replace(WELL, updated_at=NOW - 60_000, retired_at=NOW - 30_000)
    assert (row.retired, row.lag_ms(NOW)) == (True, None)
    back = msgspec.structs.replace(row, updated_at=NOW - 29_999)
    assert (back.retired, back.silent_ms(NOW)) == (False, 29_999)


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        ("current", {}),  # without traffic too
        ("starting", {"behind_ms": None}),
        ("behind", {"behind_ms": 30_001}),
        ("waiting", {"breakers": {"DynamoDB": "open"}, "behind_ms": 30_001}),
        ("silent", {"updated_at": NOW - 60_000, "breakers": {"DynamoDB": "open"}}),
        ("dying", {"updated_at": NOW - 60_000, "deaths": 2}),
        ("forbidden", {"updated_at": NOW - 60_000, "deaths": 2, "waiting": {"action": "a", "resource": "b", "since": 1}}),
        ("retired", {"updated_at": NOW - 60_000, "retired_at": NOW, "deaths": 2}),
        ("ended", {"updated_at": NOW - 60_000, "retired_at": NOW, "ended": True}),
    ],
)
def test_a_shard_has_the_state_that_matters_most(state: str, fields: dict[str, object]) -> None:
    rows = [WELL, msgspec.structs.replace(WELL, shard="shardId-000000000001", **fields)]
    seen = shards(rows, {}, NOW)
    assert [each.state for each in seen] == ["current", state]
    (whole,) = applications(rows, seen)
    assert whole.state == ("current" if state in {"retired", "ended"} else state)
    assert bool(halted(rows, NOW)) == (state in {"silent", "dying", "forbidden"})
    assert (whole.lag_ms, whole.shards) == (max(row.lag_ms(NOW) or 0 for row in rows), 1 + (whole.state == state))

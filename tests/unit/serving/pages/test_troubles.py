"""What a person should look at on the page Pipeline: causes, not shards."""

from __future__ import annotations

import msgspec

from clickstream.progress.shards_table import SILENT_MS, ShardProgress
from clickstream.serving.api.progress import shards
from clickstream.serving.pages.pipeline.troubles import troubles

NOW = 1_795_527_440_000
WELL = ShardProgress(application="analytics", shard="shardId-000000000000", owner="w1", behind_ms=0, updated_at=NOW - 500)


def on_four(application: str, **fields: object) -> list[ShardProgress]:
    changed = {"application": application, **fields}
    return [msgspec.structs.replace(WELL, shard=f"shardId-{number:012d}", **changed) for number in range(4)]


def found(*rows: ShardProgress) -> list[str]:
    return [each.what for each in troubles(shards(rows, {}, NOW))]


def test_the_same_bad_records_are_one_trouble() -> None:
    bad = [row for name in ("analytics", "archive", "fraud") for row in on_four(name, dead_letters=3)]
    assert found(*bad, *on_four("orders", dead_letters=1)) == [
        "Bad records so far: 12 (each application keeps its own letters: analytics 12, archive 12, fraud 12, orders 4)"
    ]


def test_one_cause_is_one_trouble_and_the_worst_comes_first() -> None:
    refusal = {"action": "sqs:SendMessage", "resource": "arn:queue", "since": NOW}
    rows = [
        *on_four("analytics", behind_ms=95_000),
        *on_four("archive", updated_at=NOW - 20_000)[:1],
        *on_four("archive")[1:],
        *on_four("fraud", updated_at=NOW - 7_200_000, dead_letters=1),
        *on_four("orders", breakers={"SNS": "open"}),
        *on_four("recommendations", waiting=refusal)[:3],
        *on_four("wishlist", deaths=3),
    ]
    assert found(*rows) == [
        "recommendations may not sqs:SendMessage on arn:queue (all its shards)",
        "wishlist: its worker died 3 times without moving all its shards",
        "fraud has been silent for 2 h (all its shards)",
        "archive has been silent for 20 s (shard 0 of 4)",
        "orders waits for SNS (all its shards)",
        "analytics is 95 s behind (all its shards)",
        "Bad records so far: 4 (each application keeps its own letters: fraud 4)",
    ]
    assert all(each.do for each in troubles(shards(rows, {}, NOW)))


def test_all_is_well_without_traffic_and_where_nobody_is_to_read() -> None:
    idle = on_four("analytics")
    over = [*on_four("fraud", ended=True, updated_at=1), *on_four("orders", updated_at=1, retired_at=2, dead_letters=9)]
    assert found(*idle, *over) == []


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

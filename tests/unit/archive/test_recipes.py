"""The lines of the page about reading the archive, as they stand there, over folders as in the bucket."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from clickstream.consumers.archive import parquet
from clickstream.consumers.archive.columns import Columns
from clickstream.consumers.archive.fold import HOUR_MS
from clickstream.consumers.archive.names import Name
from clickstream.events import EVENT_TYPES, PageView, Purchase
from tests.unit.archive.test_sql import ENVELOPE, NEW, OLD, SHARD, Wish1, Wish2, lines

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "read-the-archive.md"
BUCKET = re.compile("s3a?://clickstream-archive")
#: 2026-11-24T17:00Z
HOUR = 1_795_539_600_000 // HOUR_MS


def recipes(tool: str) -> list[str]:
    """The fenced lines under a tool's heading."""
    section = PAGE.read_text().partition(f"\n### {tool}\n")[2].partition("\n#")[0]
    return re.findall(r"^```\w+\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """An hour before and after ``wish`` was declared, and grew; another day."""
    fields: dict[str, Any] = ENVELOPE | {"occurred_at": HOUR * HOUR_MS}
    later: dict[str, Any] = ENVELOPE | {"occurred_at": (HOUR + 24) * HOUR_MS}
    paid = Purchase(event_id="e1", order_id="o", items=(), amount=10**12 - 1, currency="EUR", **fields)
    wishes = (
        Wish1(event_id="e2", product_id="p", quantity=0.5, **fields),
        Wish2(event_id="e3", product_id="q", quantity=2, **fields),
    )
    files = [
        (HOUR, parquet.encode(lines([PageView(event_id="e0", **fields)], 0), Columns(EVENT_TYPES))),
        (HOUR, parquet.encode(lines([paid, wishes[0]], 1), Columns(OLD))),
        (HOUR, parquet.encode(lines([wishes[1]], 3), Columns(NEW))),
        (HOUR + 24, parquet.encode(lines([PageView(event_id="other day", **later)], 4), Columns(NEW))),
    ]
    for chunk, (hour, content) in enumerate(files):
        file = tmp_path / Name(hour, SHARD, chunk, chunk).key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path


def run(recipe: str, bucket: Path, **known: Any) -> dict[str, Any]:
    exec(BUCKET.sub(str(bucket), recipe), known)  # lines of our own page
    return known


@pytest.mark.parametrize("tool", ["pandas", "Polars", "DuckDB"])
def test_each_line_reads_a_day(tool: str, bucket: Path) -> None:
    pytest.importorskip(tool.lower())
    day = run(recipes(tool)[0], bucket)["day"]
    table = day.df() if tool == "DuckDB" else day
    assert sorted(table["event_id"]) == ["e0", "e1", "e2", "e3"]
    assert table["amount"].max() == 10**12 - 1
    assert tool != "pandas" or str(day["amount"].dtype) == "int64[pyarrow]"


@pytest.mark.parametrize("tool", ["pandas", "Polars"])
def test_own_types_come_with_all_that_was_ever_declared(tool: str, bucket: Path) -> None:
    pytest.importorskip(tool.lower())
    wishes = run(recipes(tool)[1], bucket)["wishes"]
    assert sorted(zip(wishes["event_id"], wishes["product_id"], wishes["quantity"], strict=True)) == [
        ("e2", "p", 0.5),
        ("e3", "q", 2),
    ]
    assert "gift" in wishes.columns


def test_pandas_alone_takes_the_columns_of_the_first_file_as_the_page_warns(bucket: Path) -> None:
    assert "own_wish" not in run(recipes("pandas")[0], bucket)["day"].columns


def test_spark_reads_a_day(bucket: Path) -> None:
    sql = pytest.importorskip("pyspark.sql")
    spark = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        day = run(recipes("Spark")[0], bucket, spark=spark)["day"]
        found = [(row["event_id"], row["own_wish"] and row["own_wish"]["product_id"]) for row in day.collect()]
    finally:
        spark.stop()
    assert sorted(found) == [("e0", None), ("e1", None), ("e2", "p"), ("e3", "q")]


def test_the_statement_for_athena_is_sql_over_the_archives_columns(bucket: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA clickstream")
        connection.execute(
            "CREATE VIEW clickstream.events AS SELECT * FROM read_parquet(?, union_by_name = true)".replace(
                "?", f"'{bucket}/*/*/*.parquet'"
            )
        )
        assert sorted(connection.execute(recipes("Athena")[0]).fetchall()) == [("p", 1), ("q", 1)]


def test_the_first_file_is_the_one_without_the_own_type(bucket: Path) -> None:
    """Else these tests would prove nothing of what was declared later."""
    assert "own_wish" not in pq.read_schema(min(bucket.rglob("*.parquet"))).names

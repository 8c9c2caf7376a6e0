"""The table of costs in the reference of records: AWS's list prices times measured sizes.

``python -m tests.unit.docs.record_costs`` writes it again.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "records.md"
#: Dollars in us-east-1: a shard's hour; a million payload units of 25 KB; a GB put and a GB read on demand.
SHARD_HOUR, MILLION_UNITS, GB_PUT, GB_READ = 0.015, 0.014, 0.08, 0.04
APPLICATIONS = 3
KB, MB, GB = 1024, 1024**2, 1024**3
#: A user_id as partition key, which Kinesis counts.
KEY_BYTES = 7


class Row(NamedTuple):
    records: str
    events: int
    """In one record."""
    event_bytes: float
    """Of the record's data."""


#: As measured: docs/reference/records.md says on what.
ROWS = (
    Row("one event a record", 1, 341.8),
    Row("`kpl`, full", 142, 359.0),
    Row("`ndjson`", 200, 342.9),
    Row("`gzip`", 200, 76.3),
    Row("`zstd`", 200, 61.6),
    Row("`zstd`, little traffic", 10, 97.6),
    Row("`zstd`, full", 750, 59.0),
)


def lines() -> list[str]:
    head = "| records | events a record | bytes an event | events a shard takes in a second | shard $ | units $ "
    return [f"{head}| **provisioned $** | **on demand $** |", "|" + "---|" * 8, *map(_line, ROWS)]


def _line(row: Row) -> str:
    size = row.events * row.event_bytes + KEY_BYTES
    in_a_second = min(MB / size, 1_000) * row.events
    shard = 1e6 / in_a_second / 3600 * SHARD_HOUR
    records = 1e6 / row.events
    units = records * math.ceil(size / (25 * KB)) / 1e6 * MILLION_UNITS
    # what is put is rounded up to whole KB for each record; what is read is not
    on_demand = records * math.ceil(size / KB) * KB / GB * GB_PUT + APPLICATIONS * records * size / GB * GB_READ
    return (
        f"| {row.records} | {row.events:,} | {row.event_bytes:.0f} | {in_a_second:,.0f} | {shard:.5f} | {units:.5f} "
        f"| **{shard + units:.4f}** | **{on_demand:.3f}** |"
    )


def refreshed(text: str) -> str:
    table = "\n".join(("<!-- costs -->", *lines(), "<!-- costs: end -->"))
    return re.sub(r"<!-- costs -->\n.*?<!-- costs: end -->", lambda _: table, text, count=1, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text()))

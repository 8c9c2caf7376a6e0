"""A type that nobody knew is declared: its dead letters are events now, for all who read the stream.

What is declared is read once in a process; so there are two.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clickstream import events
from clickstream.consumers.archive.columns import COLUMNS
from clickstream.consumers.dead_letters.redriving import decide
from clickstream.consumers.explain.life import judged, put_for
from clickstream.consumers.explain.search import sightings
from clickstream.consumers.looking.records import delivered, looked_at
from clickstream.consumers.runtime.loop.decoding import Rejection
from clickstream.errors import InvalidEvent, Rejected
from clickstream.records.routing import WHOLE_SPACE, Shard
from tests.unit.dead_letters.test_redriving import received

_ENVELOPE = {"event_id": "e1", "user_id": "u", "session_id": "s", "occurred_at": 1_764_000_000_000}
WISH = json.dumps({"type": "wish", **_ENVELOPE, "product_id": "p", "left": 2**63 - 1}).encode()
SCHEMAS = {
    "wish.v1.json": {"properties": {"product_id": {"type": "string"}, "left": {"type": "integer"}}, "required": ["product_id"]},
    "page_view.v1.json": {"properties": {"campaign": {"type": "string"}}},
}


def told() -> dict[str, Any]:
    """What each reader makes of the wish."""
    shard = Shard(shard_id="shardId-0", hash_range=WHOLE_SPACE, parents=())
    record = {"Data": WISH, "PartitionKey": "u", "SequenceNumber": "10", "ApproximateArrivalTimestamp": datetime.now(UTC)}
    [decision] = decide([received(WISH)], [])
    [looked] = looked_at(delivered(record), shard)
    [sighting] = sightings(record, 1_000, "e1", shard)
    puts = judged([sighting])
    taken = put_for("analytics", puts)
    return {
        "decided": decision.word,
        "again": None if decision.event is None else json.loads(events.encode(decision.event)),
        "shown by tail": not isinstance(looked.event, Rejection),
        "type": None if isinstance(sighting.event, Rejected) else sighting.event.type,
        "fate": puts[0].fate,
        "fate with its letter": None if taken is None else put_for("analytics", puts, {str(taken.position)}).fate,  # type: ignore[union-attr]  # it is one of them
        "columns": [name for name in COLUMNS.schema.names if name.startswith("own_")],
    }


def test_before_it_is_declared() -> None:
    assert told() == {
        "decided": "kept",
        "again": None,
        "shown by tail": False,
        "type": None,
        "fate": "rejected",
        "fate with its letter": "rejected",
        "columns": [],
    }
    with pytest.raises(InvalidEvent, match="page_view"):
        events.decode(WISH)


def test_once_it_is_declared(tmp_path: Path) -> None:
    for name, schema in SCHEMAS.items():
        (tmp_path / name).write_text(json.dumps({"type": "object", **schema}))
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        env=os.environ | {"CLICKSTREAM_EVENTS": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    again: dict[str, Any] = found.pop("again")
    assert json.loads(WISH).items() <= again.items(), "nothing of it is lost"
    assert again["redriven_for"] == "analytics"
    assert found == {
        "decided": "put",
        "shown by tail": True,
        "type": "wish",
        "fate": "takes effect",
        "fate with its letter": "rejected",
        "columns": ["own_page_view", "own_wish"],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(told()))

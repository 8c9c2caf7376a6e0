"""``clickstream query sql --out``: what is in the file, read by others than wrote it; events go round unchanged."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from clickstream import events
from clickstream.aws import Clients
from clickstream.cli import cli
from clickstream.consumers.archive import parquet, views
from clickstream.consumers.archive.columns import Columns
from clickstream.consumers.archive.fold import ArchiveFold
from clickstream.consumers.archive.views import Archive
from clickstream.errors import UserMistake
from clickstream.events import Event, Search
from clickstream.serving import query
from clickstream.settings import Settings
from tests.unit.archive.test_parquet import ALL
from tests.unit.archive.test_sql import Local
from tests.unit.own_events.shop import CAMPAIGN, WISH, declare, event, events_with


class Kept(Local):
    """An archive that the command reads, of a program that knows some types."""

    def keep(self, some: Sequence[Event], types: Sequence[type[Event]]) -> None:
        fold = ArchiveFold()
        fold.apply(some)  # type: ignore[arg-type]  # of a shop's own types
        for part in fold.effects(flush=True):
            self.add(part.hour, part.chunk, parquet.encode(part.lines, Columns(types)))

    def read_by(self, types: Sequence[type[Event]]) -> None:
        archive = Archive(Clients(Settings()), Settings(), types)
        self._patch.setattr(archive, "files", lambda: sorted(self.names))
        self._patch.setattr(query, "_reader", lambda *_: archive)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    return Kept(tmp_path / "bucket", monkeypatch)


def asked(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["query", "sql", *map(str, arguments)], catch_exceptions=False)


def test_events_go_round_unchanged(kept: Kept, tmp_path: Path) -> None:
    sent = [each for each in ALL if each.event_id != "8"]  # it addresses an application, which no archive keeps
    kept.keep(sent, events.EVENT_TYPES)
    kept.read_by(events.EVENT_TYPES)
    answer = asked("SELECT * FROM events ORDER BY ordinal", "--out", tmp_path / "x.ndjson")
    assert (answer.exit_code, answer.stderr) == (0, f"{tmp_path}/x.ndjson: 7 events\n")
    assert (tmp_path / "x.ndjson").read_bytes().splitlines() == [events.encode(each) for each in sent]


def test_own_types_go_round_unchanged_and_produce_takes_them(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maybe = {"properties": {"n": {"type": ["integer", "null"]}, "m": {"type": ["string", "null"], "default": "x"}}}
    weigh = {"type": "object", "properties": {"by": {"type": "object", "additionalProperties": {"type": "number"}}}}
    folder = declare(tmp_path / "events", wish_v1=WISH, page_view_v1=CAMPAIGN, maybe_v1=maybe, weigh_v1=weigh)
    shop = events_with(folder)
    sent = [
        event("wish", product_id="p", note="für\u2028", size="m", others=["a", "b"], at={"shelf": 3, "maker_id": "m"}),
        event("wish", product_id="q", gift=True),
        event("page_view", url="/", campaign="may"),
        event("page_view", url="/"),
        *(event("maybe", **fields) for fields in ({}, {"n": None}, {"n": 2**62, "m": None}, {"m": ""})),
        event("weigh", by={"é": 0.1, "null": -0.0, "b": 1e300}),
        event("weigh"),
    ]
    decoded = [shop.decode(line) for line in sent]
    kept.keep(decoded, shop.EVENT_TYPES)
    kept.read_by(shop.EVENT_TYPES)
    monkeypatch.setattr(views, "decode", shop.decode)  # as in a program that begins with this folder
    out = tmp_path / "x.ndjson"
    answer = asked("SELECT * FROM events ORDER BY ordinal", "--out", out)
    assert (answer.exit_code, answer.stderr) == (0, f"{out}: {len(sent)} events\n")
    assert out.read_bytes().splitlines() == [events.encode(each) for each in decoded]
    taken = subprocess.run(
        [sys.executable, "-m", "clickstream.cli", "produce", str(out), "--dry-run", "--json"],
        env=os.environ | {"CLICKSTREAM_EVENTS": str(folder)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(taken.stdout)["sent"] == len(sent), taken.stderr


def test_an_event_of_a_type_that_is_not_declared_is_named_and_not_lost(kept: Kept, tmp_path: Path) -> None:
    shop = events_with(declare(tmp_path / "events", wish_v1=WISH))
    kept.keep([ALL[0], shop.decode(event("wish", product_id="p"))], shop.EVENT_TYPES)
    kept.read_by(events.EVENT_TYPES)
    answer = asked("SELECT * FROM events ORDER BY ordinal", "--out", tmp_path / "x.ndjson")
    assert answer.exit_code == 3
    assert "1 of them are no events as they are declared today; line 2: not one of the values" in answer.stderr
    assert json.loads((tmp_path / "x.ndjson").read_bytes().splitlines()[1])["event_id"] == "e-1"


def test_rows_that_are_no_events_are_told_from_them(kept: Kept, tmp_path: Path) -> None:
    kept.keep(ALL, events.EVENT_TYPES)
    kept.read_by(events.EVENT_TYPES)
    answer = asked("SELECT type, event_id FROM events ORDER BY ordinal LIMIT 1", "--out", tmp_path / "x.ndjson")
    assert (tmp_path / "x.ndjson").read_text() == '{"type":"page_view","event_id":"1"}\n'
    assert "x.ndjson: 1 row\nhint: `clickstream produce` takes whole events" in answer.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * REPLACE (epoch_ms(occurred_at) AS occurred_at) FROM events",
        "SELECT * REPLACE (occurred_at::TIMESTAMPTZ AS occurred_at) FROM events",
    ],
)
def test_rows_whose_columns_are_of_another_type_are_no_events(statement: str, kept: Kept, tmp_path: Path) -> None:
    kept.keep(ALL[:2], events.EVENT_TYPES)
    kept.read_by(events.EVENT_TYPES)
    answer = asked(statement, "--out", tmp_path / "x.ndjson")
    assert answer.exit_code == 0
    assert "x.ndjson: 2 rows\nhint: `clickstream produce` takes whole events" in answer.stderr


def test_a_row_of_a_join_that_found_nothing_is_no_event_and_a_column_beyond_events_is_told(kept: Kept, tmp_path: Path) -> None:
    kept.keep(ALL[:1], events.EVENT_TYPES)
    kept.read_by(events.EVENT_TYPES)
    statement = (
        "SELECT e.*, n AS place FROM (VALUES ('1', 1), ('none', 2)) v(id, n) LEFT JOIN events e ON e.event_id = v.id ORDER BY n"
    )
    answer = asked(statement, "--out", tmp_path / "x.ndjson")
    assert answer.exit_code == 3
    assert "left out, since no event has them: place\n" in answer.stderr
    assert "1 of them are no events as they are declared today; line 2: a row without an event" in answer.stderr
    assert (tmp_path / "x.ndjson").read_bytes().splitlines() == [events.encode(ALL[0]), b"{}"]


def test_a_table_as_parquet_and_as_csv(kept: Kept, tmp_path: Path) -> None:
    said = Search(event_id="9", query="=1+1", user_id="u", session_id="s", occurred_at=1_764_000_000_123)
    kept.keep([*ALL[:7], said], events.EVENT_TYPES)
    kept.read_by(events.EVENT_TYPES)
    for form in ("parquet", "csv"):
        assert asked("SELECT * FROM events ORDER BY ordinal", "--out", tmp_path / f"x.{form}").exit_code == 0
    table = pd.read_parquet(tmp_path / "x.parquet")
    assert [*table["event_id"]] == ["1", "2", "3", "4", "5", "6", "7", "9"]
    with duckdb.connect() as connection:
        counted = connection.execute("SELECT sum(len(items)) FROM read_parquet(?)", [str(tmp_path / "x.parquet")])
        assert counted.fetchall() == [(500,)]
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(json.loads(rows[5]["items"])) == 500
    assert rows[0]["occurred_at"] == "2025-11-24T16:00:00.123000"
    assert rows[7]["query"] == "'=1+1"  # which a spreadsheet would work out


@pytest.mark.parametrize("statement", ["SELECT nothing FROM events", "SELECT 1/0::INT, error('late') FROM events"])
def test_a_mistake_leaves_the_file_that_was_there(statement: str, kept: Kept, tmp_path: Path) -> None:
    kept.keep(ALL, events.EVENT_TYPES)
    kept.read_by(events.EVENT_TYPES)
    for form in ("parquet", "csv", "ndjson"):
        file = tmp_path / f"x.{form}"
        file.write_text("before")
        with pytest.raises(UserMistake):
            asked(statement, "--out", file)
        assert file.read_text() == "before"
    assert not [*tmp_path.glob("*.part")]


@pytest.mark.parametrize(("name", "says"), [("x.xls", "ends in none of .parquet"), ("no/x.csv", "is its folder there?")])
def test_a_file_that_cannot_be_is_one_line(name: str, says: str, kept: Kept, tmp_path: Path) -> None:
    kept.read_by(events.EVENT_TYPES)
    answer = CliRunner().invoke(cli, ["query", "sql", "SELECT 1", "--out", str(tmp_path / name)])
    assert answer.exit_code != 0
    assert says in answer.output + str(getattr(answer.exception, "hint", ""))

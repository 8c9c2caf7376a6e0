"""SQL over files of one hour and of many: every event once, under its own date and hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.fs
import pytest

from clickstream import events
from clickstream.aws import Clients
from clickstream.consumers.archive import parquet
from clickstream.consumers.archive.columns import Columns
from clickstream.consumers.archive.fold import HOUR_MS, SCATTERED, ArchiveFold
from clickstream.consumers.archive.names import Name
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.consumers.archive.views import Answer, Archive
from clickstream.errors import UserMistake
from clickstream.events import EVENT_TYPES, Event, PageView, Text
from clickstream.settings import Settings

FIRST = 490_000
SHARD = "shardId-000000000000"


class Local:
    """An archive whose bucket is a folder."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        def local(**_: Any) -> pyarrow.fs.SubTreeFileSystem:
            return pyarrow.fs.SubTreeFileSystem(str(folder), pyarrow.fs.LocalFileSystem())

        patch.setattr(pyarrow.fs, "S3FileSystem", local)
        self._folder = folder / ARCHIVE.of(Settings())
        self._patch = patch
        self.names: list[Name] = []

    def add(self, hour: int, chunk: int, content: bytes) -> None:
        name = Name(hour, SHARD, chunk, chunk)
        file = self._folder / name.key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.names.append(name)

    def query(self, sql: str, types: Sequence[type[Event]] = EVENT_TYPES) -> Answer:
        archive = Archive(Clients(Settings()), Settings(), types)
        self._patch.setattr(archive, "files", lambda: sorted(self.names))
        return archive.query(sql)


@pytest.mark.parametrize("hours", [0, 3, 200])
def test_sql_sees_every_event_once_in_its_own_hour(hours: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fold = ArchiveFold()
    fold.apply(
        [
            PageView(event_id=f"e{hour}", user_id="u", session_id="s", occurred_at=(FIRST - hour) * HOUR_MS)
            for hour in range(hours)
        ]
    )
    parts = fold.effects(flush=True)
    assert any(part.hour == SCATTERED for part in parts) == (hours == 200)
    archive = Local(tmp_path, monkeypatch)
    for part in parts:
        archive.add(part.hour, part.chunk, parquet.encode(part.lines))
    found = archive.query("SELECT event_id, date, hour, epoch_ms(occurred_at) FROM events").rows
    assert sorted(row[0] for row in found) == sorted(f"e{hour}" for hour in range(hours))
    for _, date, hour, at_ms in found:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        assert (date, hour) == (at.date().isoformat(), at.hour)


class Wish1(Event, frozen=True, kw_only=True, tag="wish"):
    product_id: str
    quantity: float


class Wish2(Wish1, frozen=True, kw_only=True, tag="wish"):
    """Grown by two; one has the name of a column of the archive."""

    gift: bool = False
    ordinal: tuple[str, ...] = ("for", "me")


class Campaigned(PageView, frozen=True, kw_only=True, tag="page_view"):
    campaign: Text = ""


class Ping(Event, frozen=True, kw_only=True, tag="ping"):
    """Without a property."""


OLD: list[type[Event]] = [*EVENT_TYPES, Wish1]
NEW: list[type[Event]] = [Campaigned, *EVENT_TYPES[1:], Wish2, Ping]
ENVELOPE: dict[str, Any] = {"user_id": "u", "session_id": "s", "occurred_at": FIRST * HOUR_MS}


def lines(some: Sequence[Event], first: int) -> list[bytes]:
    return [b'{"ordinal":%d,' % number + events.encode(event)[1:] for number, event in enumerate(some, first)]


@pytest.fixture
def grown() -> list[bytes]:
    """A file from before any declaration, one of the first, and one of all that is declared now."""
    page = PageView(event_id="e0", url="/", **ENVELOPE)
    return [
        parquet.encode(lines([page], 0), Columns(EVENT_TYPES)),
        parquet.encode(lines([page, Wish1(event_id="e2", product_id="p", quantity=0.5, **ENVELOPE)], 1), Columns(OLD)),
        parquet.encode(
            lines(
                [
                    Campaigned(event_id="e3", url="/sale", campaign="may", **ENVELOPE),
                    Wish2(event_id="e4", product_id="q", quantity=2, gift=True, **ENVELOPE),
                    Ping(event_id="e5", **ENVELOPE),
                ],
                3,
            ),
            Columns(NEW),
        ),
    ]


@pytest.mark.parametrize("compacted", [False, True])
def test_what_is_declared_later_is_null_in_older_files(
    compacted: bool, grown: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Local(tmp_path, monkeypatch)
    for number, content in enumerate([parquet.merge(grown)[0]] if compacted else grown):
        archive.add(FIRST, number, content)
    answer = archive.query("SELECT * EXCLUDE (context) FROM own.wish ORDER BY event_id", NEW)
    assert [*answer.columns] == [
        *("event_id", "user_id", "session_id", "occurred_at", "schema_version"),
        *("product_id", "quantity", "gift", "ordinal", "ordinal_1", "date", "hour"),
    ]
    assert [(row[0], *row[5:10]) for row in answer.rows] == [
        ("e2", "p", 0.5, None, None, 2),
        ("e4", "q", 2.0, True, ["for", "me"], 4),
    ]
    pages = archive.query("SELECT event_id, url, campaign FROM own.page_view ORDER BY ordinal", NEW).rows
    assert pages == [("e0", "/", None), ("e0", "/", None), ("e3", "/sale", "may")]
    assert archive.query("SELECT event_id, hour FROM own.ping", NEW).rows == [("e5", FIRST % 24)]
    everything = archive.query("SELECT type, own_wish.quantity, own_page_view.campaign FROM events ORDER BY ordinal", NEW).rows
    assert [row[0] for row in everything] == ["page_view", "page_view", "wish", "page_view", "wish", "ping"]
    assert [row[1:] for row in everything][2:5] == [(0.5, None), (None, "may"), (2.0, None)]
    # who knows of fewer types reads the newer files as well
    assert archive.query("SELECT product_id FROM own.wish ORDER BY ordinal", OLD).rows == [("p",), ("q",)]
    assert archive.query("SELECT count(*), count(product_id) FROM events", EVENT_TYPES).rows == [(6, 0)]


def test_a_table_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserMistake) as caught:
        Local(tmp_path, monkeypatch).query("SELECT * FROM own.wishes", OLD)
    assert "own.wish" in str(caught.value.hint)


@pytest.mark.parametrize("statement", ["", "  ", "-- nothing", ";"])
def test_no_statement_is_a_mistake_of_who_asks(statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserMistake, match="no statement"):
        Local(tmp_path, monkeypatch).query(statement)


def test_no_column_is_lost_to_another_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Local(tmp_path, monkeypatch).query("SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a")
    assert dict(zip(answer.columns, answer.rows[0], strict=True)) == {"a": 1, "a_1": 2, "a_1_1": 3, "a_2": 4}


@pytest.mark.parametrize(
    ("interval", "iso"),
    [
        ("14 months", "P14M"),
        ("-14 months", "P-14M"),
        ("3 days", "P3D"),
        ("1 month 420 days", "P1M420D"),
        ("100 minutes", "PT6000S"),
        ("-2.5 seconds", "PT-2.5S"),
        ("10 years 1 hour", "P120MT3600S"),
        ("0 days", "PT0S"),
    ],
)
def test_an_interval_keeps_its_months(interval: str, iso: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statement = f"SELECT INTERVAL '{interval}' AS i, [{{'x': INTERVAL '{interval}'}}] AS nested, 7 AS n, NULL AS nothing"
    answer = Local(tmp_path, monkeypatch).query(statement)
    assert answer.rows == [(iso, [{"x": iso}], 7, None)]

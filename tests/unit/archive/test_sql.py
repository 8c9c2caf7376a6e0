"""SQL over files of one hour and of many: every event once, under its own date and hour."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.fs
import pytest

from clickstream.aws import Clients
from clickstream.consumers.archive import parquet
from clickstream.consumers.archive.fold import HOUR_MS, SCATTERED, ArchiveFold
from clickstream.consumers.archive.names import Name
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.consumers.archive.views import Archive
from clickstream.events import PageView
from clickstream.settings import Settings

FIRST = 490_000


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
    names = [Name(part.hour, "shardId-000000000000", part.chunk, part.chunk) for part in parts]
    settings = Settings()
    for name, part in zip(names, parts, strict=True):
        file = tmp_path / ARCHIVE.of(settings) / name.key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(parquet.encode(part.lines))

    def local(**_: Any) -> pyarrow.fs.SubTreeFileSystem:
        return pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem())

    monkeypatch.setattr(pyarrow.fs, "S3FileSystem", local)
    archive = Archive(Clients(settings), settings)
    monkeypatch.setattr(archive, "files", lambda: sorted(names))
    found = archive.query("SELECT event_id, date, hour, epoch_ms(occurred_at) FROM events").rows
    assert sorted(row[0] for row in found) == sorted(f"e{hour}" for hour in range(hours))
    for _, date, hour, at_ms in found:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        assert (date, hour) == (at.date().isoformat(), at.hour)

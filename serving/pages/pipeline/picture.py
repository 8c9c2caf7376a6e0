"""The page Pipeline: every application on every shard. It is read whether or not a page is open: readiness stands on it."""

from __future__ import annotations

import threading

import msgspec

from serving.api.answers import Application, Shard
from serving.api.present import applications_json, shard_json
from serving.pages.picture import Head, head
from serving.progress import Fleet


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    head: Head
    rate: list[tuple[int, float]]
    applications: list[Application]
    shards: list[Shard]


class Pipeline:
    """See ``serving.pages.picture.Picture``."""

    def __init__(self, fleet: Fleet, title: str) -> None:
        self._fleet = fleet
        self._title = title
        self._seen = fleet.newest()
        self._applications: list[Application] = []
        self._lock = threading.Lock()

    def read(self, now_ms: int) -> None:
        seen = self._fleet.read(now_ms)
        applications = applications_json(seen.rows, seen.speeds)
        with self._lock:
            self._seen, self._applications = seen, applications

    def picture(self, now_ms: int, problem: str | None = None) -> bytes:
        with self._lock:
            seen, applications = self._seen, self._applications
        shards = [shard_json(row, seen.speeds.get((row.application, row.shard)), now_ms) for row in seen.rows]
        return msgspec.json.encode(
            Shown(head=head(self._title, seen, now_ms, problem), rate=seen.rate, applications=applications, shards=shards)
        )

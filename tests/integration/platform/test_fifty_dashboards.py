"""Fifty open dashboards over the embedded AWS while effects are written: what they cost the server."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from clickstream.settings import Settings
from tests.browser.serving_process import serving
from tests.browser.test_freshness import Effects

pytestmark = pytest.mark.integration

FEEDS = [
    "now?range=15m",
    "now?range=1h",
    "now?range=24h",
    "now?range=7d",
    "now?range=30d",
    "fraud",
    "recommendations",
    "pipeline",
]
DASHBOARDS = 50
SECONDS = 10.0


class Dashboard:
    """What a page is to the server: one stream that is read as it comes."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self.pictures = 0

    async def watch(self, host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"GET /v1/live/{self._feed} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            while chunk := await reader.read(1 << 16):
                self.pictures += chunk.count(b"event: picture")
        finally:
            writer.close()


def test_fifty_dashboards_cost_less_than_a_core(provisioned: Settings) -> None:
    effects = Effects(provisioned)
    effects.commit()
    ending = threading.Event()

    def work() -> None:
        while not ending.wait(0.2):
            for write in (effects.visit, effects.commit, effects.alarm, effects.click):
                write()

    async def watch(host: str, port: int) -> list[int]:
        dashboards = [Dashboard(FEEDS[n % len(FEEDS)]) for n in range(DASHBOARDS)]
        watching = [asyncio.create_task(each.watch(host, port)) for each in dashboards]
        async with asyncio.timeout(60):
            while not all(each.pictures for each in dashboards):
                await asyncio.sleep(0.05)
        before = [each.pictures for each in dashboards]
        began, used = time.monotonic(), server.cpu_s()
        await asyncio.sleep(SECONDS)  # the length of the measurement
        cores.append((server.cpu_s() - used) / (time.monotonic() - began))
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        return [each.pictures - seen for each, seen in zip(dashboards, before, strict=True)]

    cores: list[float] = []
    with serving(provisioned) as server:
        worker = threading.Thread(target=work)
        worker.start()
        try:
            address = urlsplit(server.url)
            pictures = asyncio.run(watch(str(address.hostname), int(address.port or 0)))
        finally:
            ending.set()
            worker.join()
    told = {"dashboards": DASHBOARDS, "cores": round(cores[0], 3), "pictures_each": [min(pictures), max(pictures)]}
    Path("build").mkdir(exist_ok=True)
    Path("build/dashboards.json").write_bytes(msgspec.json.encode(told))
    assert min(pictures) >= 2, "a dashboard stood still"
    assert cores[0] < 1.0

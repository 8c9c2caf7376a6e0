"""The live feed as bytes on the wire, and one reading of the stores for any number of pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from starlette.types import Message
from structlog.testing import capture_logs

from clickstream.errors import RetryLater
from clickstream.serving.app import create_app
from clickstream.serving.moments import iso
from clickstream.serving.pages.broadcast import Broadcast
from clickstream.serving.pages.live import Feed, Live
from clickstream.serving.pages.now.spans import SPANS
from clickstream.serving.pages.pictures import Now
from clickstream.serving.progress import ProgressReader
from tests.unit.serving.shop import Shop


def live_of(shop: Shop, **settings: float) -> Live:
    return Live(Now(shop, SPANS["1h"]), ProgressReader(shop, shop.clock), shop.clock, title="shop", **settings)


def shown(message: bytes) -> Any:
    return json.loads(message.decode().split("data: ")[1].split("\n")[0])


async def told(live: Live, messages: AsyncGenerator[bytes]) -> Any:
    """What a page that waits is shown by the next tick."""
    waiting = asyncio.ensure_future(anext(messages))
    await asyncio.sleep(0)
    await live.tick()
    return shown(await waiting)


class Page:
    """An ASGI client of a live feed that keeps what it is sent, for as long as it is told to stay."""

    def __init__(self, stays: Callable[[Page], bool]) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self._stays = stays
        self._enough = asyncio.Event()
        self._asked = False

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._enough.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]
        if not self._stays(self):
            self._enough.set()

    def events(self) -> list[dict[str, str]]:
        blocks = [block for block in self.body.decode().split("\n\n") if block]
        return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


async def watch(pages: list[Page], shop: Shop, period_s: float) -> None:
    app = create_app(shop, shop.clock, monotonic=shop.clock, period_s=period_s)
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/live/now",
        "raw_path": b"/v1/live/now",
        "query_string": b"range=1h",
        "headers": [(b"host", b"127.0.0.1")],
    }
    async with app.router.lifespan_context(app):
        await asyncio.wait_for(asyncio.gather(*(app(dict(scope), page.receive, page.send) for page in pages)), 30)


def until(events: int) -> Callable[[Page], bool]:
    return lambda page: page.body.count(b"\n\n") < events


def test_pictures_are_server_sent_events() -> None:
    shop = Shop()
    page = Page(until(3))
    asyncio.run(watch([page], shop, 0.01))

    assert page.status == 200
    assert page.headers["content-type"].startswith("text/event-stream")
    assert page.headers["cache-control"] == "no-store"
    assert "content-security-policy" in page.headers
    events = page.events()
    assert [event["event"] for event in events[:3]] == ["picture"] * 3
    assert [event["retry"] for event in events[:3]] == ["2000"] * 3
    numbers = [int(event["id"]) for event in events]
    assert numbers == sorted(set(numbers))
    assert json.loads(events[0]["data"])["total"]["events"] > 0


def test_many_pages_share_one_reading_of_the_stores() -> None:
    shop = Shop()
    pages = [Page(until(3)) for _ in range(20)]
    asyncio.run(watch(pages, shop, 0.02))

    newest = max(int(page.events()[-1]["id"]) for page in pages)
    readings = len(shop.asked)
    assert all(len(page.events()) >= 3 for page in pages)
    assert readings <= newest + 1


def test_a_store_that_goes_away_and_comes_back() -> None:
    shop = Shop()

    async def scene() -> list[Any]:
        live = live_of(shop)
        messages = live.broadcast.messages()
        pictures = []
        for down in (False, True, False):
            shop.down = down
            shop.now += 1_000  # what was read lately is shared for a moment
            pictures.append(await told(live, messages))
        return pictures

    before, during, after = asyncio.run(scene())
    assert (before["head"]["problem"], after["head"]["problem"]) == (None, None)
    assert during["head"]["problem"].startswith(str(RetryLater("DynamoDB on http://127.0.0.1:4566 did not answer")))
    assert during["head"]["problem"].endswith(f"(since {iso((shop.now - 1_000) // 1000 * 1000)})")
    assert during["bars"] == before["bars"]


def test_pages_hear_of_a_store_that_hangs_while_it_hangs() -> None:
    shop = Shop()

    async def scene() -> None:
        live = live_of(shop, slow_s=0.01)
        messages = live.broadcast.messages()
        await told(live, messages)
        shop.hangs = True
        shop.now += 1_000
        ticking = asyncio.create_task(live.tick())
        meanwhile = shown(await asyncio.wait_for(anext(messages), 10))
        assert meanwhile["head"]["problem"].startswith("it has not answered for")
        assert meanwhile["total"]["events"] > 0
        shop.holding.set()
        await ticking
        assert live.problem is None

    asyncio.run(scene())


def test_the_end_does_not_wait_for_a_store_that_hangs() -> None:
    shop = Shop(hangs=True)

    async def scene() -> None:
        app = create_app(shop, shop.clock, monotonic=shop.clock)
        async with app.router.lifespan_context(app):
            while not shop.hanging:
                await asyncio.sleep(0.001)

    try:
        asyncio.run(asyncio.wait_for(scene(), 10))
    finally:
        shop.holding.set()


def test_a_fault_in_a_reading_is_logged_once_and_the_pages_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    right = shop.progress

    def broken() -> None:
        raise ZeroDivisionError("a secret of the code")

    async def scene() -> list[Any]:
        live = live_of(shop)
        messages = live.broadcast.messages()
        pictures = []
        for progress in (right, broken, broken, right):
            monkeypatch.setattr(shop, "progress", progress)
            shop.now += 1_000
            pictures.append(await told(live, messages))
        return pictures

    with capture_logs() as logs:
        before, *faulty, after = asyncio.run(scene())
    assert (before["head"]["problem"], after["head"]["problem"]) == (None, None)
    for each in faulty:
        assert each["head"]["problem"].startswith("a fault of this server; its log says more (since ")
        assert each["bars"] == before["bars"]
    fault, end = logs
    assert isinstance(fault["exc_info"], ZeroDivisionError)
    assert (fault["log_level"], end["event"]) == ("error", "the stores can be read again")


def test_a_reading_that_fails_by_our_fault_leaves_the_last_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()

    async def scene() -> tuple[Any, Any]:
        live = live_of(shop)
        messages = live.broadcast.messages()
        before = await told(live, messages)
        monkeypatch.setattr(live.picture, "read", lambda _: 1 / 0)
        shop.now += 1_000
        return before, await told(live, messages)

    before, after = asyncio.run(scene())
    assert after["head"]["problem"].startswith("a fault of this server")
    assert after["bars"] == before["bars"]


def test_a_page_that_stalls_is_let_go() -> None:
    async def never(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def silent() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def scene() -> None:
        broadcast = Broadcast()
        feed = Feed(broadcast, stalled_s=0.01)
        scope = {"type": "http", "method": "GET", "headers": []}
        stalling = asyncio.create_task(feed(scope, silent, never))
        await broadcast.watched.wait()
        broadcast.send(b"data: 1\n\n")
        await asyncio.wait_for(stalling, 10)
        assert broadcast.readers == 0

    asyncio.run(scene())


def test_without_a_page_nothing_is_read_for_it() -> None:
    shop = Shop()

    async def scene() -> tuple[int, int]:
        live = live_of(shop, period_s=0.001)
        running = asyncio.create_task(live.run())
        for _ in range(20):
            await asyncio.sleep(0.002)
        before = len(shop.asked)
        await asyncio.wait_for(anext(live.broadcast.messages()), 10)
        running.cancel()
        return before, len(shop.asked)

    before, after = asyncio.run(scene())
    assert before == 0
    assert after >= 1

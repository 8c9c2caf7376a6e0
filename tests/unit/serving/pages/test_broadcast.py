"""Nobody waits for a slow reader, and a slow reader goes on with the newest message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from clickstream.serving.pages.broadcast import Broadcast


async def first_of(messages: AsyncGenerator[bytes], broadcast: Broadcast, sent: bytes) -> bytes:
    """What a reader is shown that waits when a message is sent."""
    waiting = asyncio.ensure_future(anext(messages))
    await asyncio.sleep(0)
    broadcast.send(sent)
    return await waiting


async def drain(broadcast: Broadcast) -> list[bytes]:
    return [message async for message in broadcast.messages()]


def test_a_slow_reader_goes_on_with_the_newest_and_holds_nobody_up() -> None:
    async def scene() -> None:
        broadcast = Broadcast()
        quick, slow = broadcast.messages(), broadcast.messages()
        assert await first_of(quick, broadcast, b"0") == await anext(slow) == b"0"
        for number in range(1, 5):
            broadcast.send(b"%d" % number)
            assert await anext(quick) == b"%d" % number
        assert await anext(slow) == b"4"
        broadcast.close()
        assert [message async for message in quick] == [message async for message in slow] == []

    asyncio.run(scene())


def test_a_new_reader_begins_with_the_newest_message() -> None:
    async def scene() -> None:
        broadcast = Broadcast()
        first = asyncio.create_task(drain(broadcast))
        await asyncio.sleep(0)
        broadcast.send(b"old")
        broadcast.send(b"new")
        broadcast.close()
        assert await drain(broadcast) == await first == [b"new"]

    asyncio.run(scene())


def test_a_waiting_reader_wakes_for_a_message_and_for_the_end() -> None:
    async def scene() -> None:
        broadcast = Broadcast()
        reading = asyncio.create_task(drain(broadcast))
        await asyncio.sleep(0)
        broadcast.send(b"one")
        await asyncio.sleep(0)
        broadcast.close()
        assert await asyncio.wait_for(reading, 5) == [b"one"]

    asyncio.run(scene())


def test_after_a_rest_a_reader_is_not_shown_what_was_true_before_it() -> None:
    async def scene() -> None:
        broadcast = Broadcast()
        first = broadcast.messages()
        await first_of(first, broadcast, b"old")
        await first.aclose()
        assert broadcast.readers == 0
        broadcast.send(b"of a reading that went on meanwhile")
        second = asyncio.create_task(drain(broadcast))
        await asyncio.sleep(0)
        broadcast.send(b"new")
        broadcast.close()
        assert await second == [b"new"]

    asyncio.run(scene())


def test_the_last_reader_to_go_ends_the_watch() -> None:
    async def scene() -> None:
        broadcast = Broadcast()
        reader = broadcast.messages()
        await first_of(reader, broadcast, b"one")
        assert broadcast.watched.is_set()
        await reader.aclose()
        assert not broadcast.watched.is_set()

    asyncio.run(scene())

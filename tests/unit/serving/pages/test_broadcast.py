"""Nobody waits for a slow reader, and a slow reader loses the oldest messages."""

from __future__ import annotations

import asyncio

from serving.pages.broadcast import Broadcast, Subscription


async def drain(reader: Subscription) -> list[bytes]:
    return [message async for message in reader]


def test_a_slow_reader_loses_the_oldest_and_only_its_own() -> None:
    async def scene() -> None:
        broadcast = Broadcast(capacity=2)
        quick, slow = broadcast.subscribe(), broadcast.subscribe()
        seen: list[bytes] = []
        for number in range(5):
            broadcast.send(b"%d" % number)
            seen.append(await anext(aiter(quick)))
        broadcast.close()

        assert seen == [b"0", b"1", b"2", b"3", b"4"]
        assert await drain(slow) == [b"3", b"4"]
        assert (quick.dropped, slow.dropped) == (0, 3)

    asyncio.run(scene())


def test_a_new_reader_begins_with_the_newest_message() -> None:
    async def scene() -> None:
        broadcast = Broadcast()
        broadcast.send(b"old")
        broadcast.send(b"new")
        reader = broadcast.subscribe()
        broadcast.close()
        assert await drain(reader) == [b"new"]

    asyncio.run(scene())


def test_a_waiting_reader_wakes_for_a_message_and_for_the_end() -> None:
    async def scene() -> None:
        broadcast = Broadcast()
        reader = broadcast.subscribe()
        reading = asyncio.create_task(drain(reader))
        await asyncio.sleep(0)
        broadcast.send(b"one")
        await asyncio.sleep(0)
        broadcast.close()
        assert await asyncio.wait_for(reading, 5) == [b"one"]

    asyncio.run(scene())


def test_a_reader_that_left_costs_nothing() -> None:
    broadcast = Broadcast()
    reader = broadcast.subscribe()
    broadcast.unsubscribe(reader)
    assert len(broadcast) == 0
    broadcast.send(b"one")
    assert reader.dropped == 0

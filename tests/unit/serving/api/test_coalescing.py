"""Look-ups that share calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from clickstream.errors import Unwritable
from clickstream.serving.api.coalescing import Coalesced, Remembered


class Store:
    """Answers when it is let, and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.open = threading.Event()

    def look(self, keys: Sequence[str]) -> dict[str, str]:
        self.calls.append(list(keys))
        assert self.open.wait(10)
        if "broken" in keys:
            raise RuntimeError("broken")
        if any(key.startswith("refused") for key in keys):
            raise Unwritable("DynamoDB: ValidationException: Size of hashkey has exceeded the maximum size limit")
        return {key: key.upper() for key in keys if key != "nobody"}


async def _until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def test_a_lone_key_goes_at_once_and_those_that_come_meanwhile_go_together() -> None:
    store = Store()

    async def ask() -> list[str | None]:
        lookups = Coalesced(store.look, at_once=1, most=3)
        first = asyncio.create_task(lookups.of("a"))
        await _until(lambda: store.calls == [["a"]])
        others = [asyncio.create_task(lookups.of(key)) for key in ("b", "c", "b", "nobody", "d")]
        await asyncio.sleep(0)
        store.open.set()
        return [await task for task in (first, *others)]

    assert asyncio.run(ask()) == ["A", "B", "C", "B", None, "D"]
    assert store.calls == [["a"], ["b", "c", "nobody"], ["d"]]


def test_who_hangs_up_takes_no_answer_from_the_others() -> None:
    store = Store()

    async def ask() -> str | None:
        lookups = Coalesced(store.look, at_once=1, most=3)
        impatient, patient = (asyncio.create_task(lookups.of(key)) for key in ("a", "b"))
        await _until(lambda: store.calls)
        impatient.cancel()
        store.open.set()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        return await patient

    assert asyncio.run(ask()) == "B"


def test_a_failure_is_its_own_callers_and_nobody_elses() -> None:
    store = Store()
    store.open.set()

    async def ask() -> str | None:
        lookups = Coalesced(store.look, at_once=1, most=3)
        with pytest.raises(RuntimeError, match="broken"):
            await lookups.of("broken")
        return await lookups.of("a")

    assert asyncio.run(ask()) == "A"


def test_what_many_ask_for_is_read_once_in_a_while() -> None:
    now_s, reads = [100.0], [0]

    def read() -> int:
        reads[0] += 1
        return reads[0]

    async def ask() -> list[int]:
        remembered = Remembered(read, 5.0, lambda: now_s[0])
        first = await asyncio.gather(*(remembered.value() for _ in range(4)))
        now_s[0] = 104.9
        again = await remembered.value()
        now_s[0] = 105.0
        return [*first, again, await remembered.value()]

    assert asyncio.run(ask()) == [1, 1, 1, 1, 1, 2]


def test_a_key_that_is_asked_again_is_answered_from_memory_for_a_while() -> None:
    store, now_s = Store(), [100.0]
    store.open.set()

    async def ask() -> list[str | None]:
        lookups = Coalesced(store.look, at_once=1, most=3, for_s=0.5, clock_s=lambda: now_s[0])
        answers = [await lookups.of("a"), await lookups.of("nobody")]
        now_s[0] = 100.25
        answers += [await lookups.of("a"), await lookups.of("nobody"), await lookups.of("b")]
        now_s[0] = 100.5
        return [*answers, await lookups.of("a"), await lookups.of("b")]

    assert asyncio.run(ask()) == ["A", None, "A", None, "B", "A", "B"]
    assert store.calls == [["a"], ["nobody"], ["b"], ["a"]]


@pytest.mark.parametrize("number", [1, 3])
def test_a_key_that_the_store_refuses_is_nobody_elses_fate(number: int) -> None:
    store = Store()
    store.open.set()
    bad = [f"refused-{n}" for n in range(number)]

    async def ask() -> list[str | BaseException | None]:
        lookups = Coalesced(store.look, at_once=1, most=10)
        return await asyncio.gather(*(lookups.of(key) for key in ("a", *bad, "nobody", "b")), return_exceptions=True)

    first, *refused, nobody, last = asyncio.run(ask())
    assert (first, nobody, last) == ("A", None, "B")
    assert [type(each) for each in refused] == [Unwritable] * number

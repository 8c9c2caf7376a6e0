"""``collect`` and ``collect-one``: events that the HTTP collector takes per second of its own CPU time."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from clickstream.aws import Clients
from clickstream.settings import Settings
from infra.local.processes import Children
from load.benchmarks.measure import Benchmark, Reading, Unmeasured, per_second
from load.benchmarks.sample import sample_events
from load.benchmarks.servers import Server, Starter

_WARM_UP_S = 1.0
_COUNTED_S = 3.0
_CONNECTIONS = 32
#: The connections' requests are worked on side by side, so answers come in bursts of as many as there are connections: so many
#: bursts are counted at least, or on a busy machine three seconds might hold half a one, or none.
_BURSTS = 3
_AT_MOST_S = 60.0
_LOOK_S = 0.05
#: Requests a second of the open load, by events of a request: less than half of what either side takes.
_GIVEN = {1: 100, 50: 8}
_GIVEN_S = 5.0
#: The publisher keeps each shard below its limits: so many that these are not what is measured.
_SHARDS = 16
_SAMPLE = 2_000


def batches() -> Benchmark:
    """Fifty events a request, as a server or a busy page sends them."""
    return _benchmark("collect", 50, aim="≥ 10x", least=10)


def singles() -> Benchmark:
    """One event a request, where HTTP itself is most of the work on both sides."""
    return _benchmark("collect-one", 1, aim="≥ 1.5x", least=1.5)


def _benchmark(name: str, size: int, *, aim: str, least: float) -> Benchmark:
    each = f"{size} events" if size > 1 else "1 event"
    return Benchmark(
        id=name,
        what=f"POST /v1/events with {each} a request, {_CONNECTIONS} connections, answered when Kinesis has all",
        unit="events/s",
        aim=aim,
        least=least,
        peer_name="Starlette, json.loads, plain checks, one boto3 put_record per event",
        fairness="The same requests, web server (uvicorn, h11) and embedded Kinesis; figures are per second of the collector's "
        "process, all its threads, so of one core. Ours validates every field, hashes addresses and cards, limits sizes and "
        "depth and answers per event; the peer checks the envelope's four fields. For the figure, each connection sends its "
        f"next request when the last is answered. For the latencies beside, {_GIVEN[size]} requests a second are to be sent, "
        "whatever becomes of those before, and each counts from the moment when it was to be sent.",
        clock="CPU",
        ours=lambda: _ours(size),
        peer=lambda: _peer(size),
        rounds=3,
    )


def _ours(size: int) -> Reading:
    with _stream() as (starter, settings):
        return _drive(starter.program("collect", ["-m", "clickstream.cli", "collect", "--port"], [], settings), size)


def _peer(size: int) -> Reading:
    with _stream() as (starter, settings):
        return _drive(starter.program("peer", ["-m", "load.benchmarks.collect_peer"], [settings.stream], settings), size)


@contextmanager
def _stream() -> Iterator[tuple[Starter, Settings]]:
    """An embedded Kinesis of its own, without the limits of shards."""
    with tempfile.TemporaryDirectory(prefix="clickstream-collect-") as folder, Children(grace=10) as children:
        starter = Starter(children, Path(folder))
        settings = msgspec.structs.replace(starter.embedded().settings, local_dir=Path(folder))
        kinesis = Clients(settings).kinesis
        kinesis.create_stream(StreamName=settings.stream, ShardCount=_SHARDS)
        kinesis.get_waiter("stream_exists").wait(StreamName=settings.stream, WaiterConfig={"Delay": 1})
        yield starter, settings


def requests(size: int) -> list[bytes]:
    """Whole HTTP requests."""
    events = sample_events(_SAMPLE)
    bodies = [msgspec.json.encode(events[start : start + size]) for start in range(0, len(events), size)]
    head = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return [head % len(body) + body for body in bodies]


def _drive(server: Server, size: int) -> Reading:
    return asyncio.run(_load(server, requests(size), size))


async def _load(server: Server, sent: Sequence[bytes], size: int) -> Reading:
    coming = cycle(sent)
    address = urlsplit(server.url)
    answered = 0

    async def client() -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            while True:
                writer.write(next(coming))
                await _answered(reader)
                answered += 1
        finally:
            writer.close()

    clients = [asyncio.create_task(client()) for _ in range(_CONNECTIONS)]
    try:
        await run(clients, _WARM_UP_S, lambda: answered, _CONNECTIONS)
        answered = 0
        cpu, began = server.cpu_seconds(), time.monotonic()
        await run(clients, _COUNTED_S, lambda: answered, _BURSTS * _CONNECTIONS)
        cpu, spent = server.cpu_seconds() - cpu, time.monotonic() - began
        events = answered * size
    finally:
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    latencies = await _open_load(str(address.hostname), int(address.port or 0), coming, _GIVEN[size])
    cuts = statistics.quantiles(latencies, n=100)
    return Reading(
        per_second(events, cpu),
        {"wall": per_second(events, spent), "p50 ms": 1000 * cuts[49], "p99 ms": 1000 * cuts[98], "MiB": server.resident_mib()},
    )


async def _open_load(host: str, port: int, coming: Iterator[bytes], per_second: float) -> list[float]:
    """Seconds from the moment when each request was to be sent, at a given pace, to its answer.

    A side that falls behind makes later requests wait for a connection, and that waiting counts: so would a visitor's.
    """
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(_CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection(host, port))

    async def one(intended: float, request: bytes) -> float:
        reader, writer = await idle.get()
        writer.write(request)
        await _answered(reader)
        took = time.monotonic() - intended
        idle.put_nowait((reader, writer))
        return took

    sending: list[asyncio.Task[float]] = []
    start = time.monotonic()
    for number in range(round(per_second * _GIVEN_S)):
        intended = start + number / per_second
        await asyncio.sleep(max(0.0, intended - time.monotonic()))
        sending.append(asyncio.create_task(one(intended, next(coming))))
    latencies = await asyncio.gather(*sending)
    while not idle.empty():
        idle.get_nowait()[1].close()
    return latencies


async def run(
    clients: Sequence[asyncio.Task[None]],
    seconds: float,
    answered: Callable[[], int],
    least: int,
    at_most_s: float = _AT_MOST_S,
) -> None:
    """Let the clients work for so long, and until so many requests were answered; raises Unmeasured when those do not come."""
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds or answered() < least:
        if spent > at_most_s:
            raise Unmeasured(f"{answered()} of {least} requests were answered within {at_most_s:g} s")
        done, _ = await asyncio.wait(clients, timeout=max(_LOOK_S, seconds - spent), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def _answered(reader: asyncio.StreamReader) -> None:
    """Read one answer, which must be 200."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200 "):
        raise RuntimeError(head.decode("latin-1"))
    await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))

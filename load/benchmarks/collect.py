"""``collect`` and ``collect-one``: events that the HTTP collector takes per second of its own CPU time."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from clickstream.aws import Clients
from clickstream.settings import Settings
from infra.local.processes import Children
from load.benchmarks.measure import Benchmark, Reading
from load.benchmarks.sample import sample_events
from load.benchmarks.servers import Server, Starter

_WARM_UP_S = 1.0
_COUNTED_S = 3.0
_CONNECTIONS = 32
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
        "depth and answers per event; the peer checks the envelope's four fields. Each connection sends its next request when "
        "the last is answered: the latencies beside are of that load, not of a given one.",
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
    latencies: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            while True:
                began = time.monotonic()
                writer.write(next(coming))
                await _answered(reader)
                latencies.append(time.monotonic() - began)
        finally:
            writer.close()

    clients = [asyncio.create_task(client()) for _ in range(_CONNECTIONS)]
    try:
        await _unless_failed(clients, _WARM_UP_S)
        latencies.clear()
        cpu, began = server.cpu_seconds(), time.monotonic()
        await _unless_failed(clients, _COUNTED_S)
        cpu, spent = server.cpu_seconds() - cpu, time.monotonic() - began
        events = len(latencies) * size
    finally:
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    cuts = statistics.quantiles(latencies, n=100)
    return Reading(
        events / cpu,
        {"wall": events / spent, "p50 ms": 1000 * cuts[49], "p99 ms": 1000 * cuts[98], "MiB": server.resident_mib()},
    )


async def _unless_failed(clients: Sequence[asyncio.Task[None]], seconds: float) -> None:
    done, _ = await asyncio.wait(clients, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _answered(reader: asyncio.StreamReader) -> None:
    """Read one answer, which must be 200."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200 "):
        raise RuntimeError(head.decode("latin-1"))
    await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))

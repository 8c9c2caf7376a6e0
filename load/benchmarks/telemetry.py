"""``telemetry`` and ``telemetry-collect``: what traces of one event in a hundred, and metrics, cost of CPU time."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import msgspec
from hdrh.histogram import HdrHistogram
from starlette.applications import Starlette
from starlette.middleware import Middleware

from clickstream.completeness import Arrival
from clickstream.events import Context, Login, encode
from clickstream.records.routing import WHOLE_SPACE
from clickstream.settings import Settings
from clickstream.telemetry.traceparent import TraceParent
from clickstream.telemetry.tracing import Tracing
from consumers.analytics.wiring import APPLICATION
from consumers.runtime.application import Application, Sink
from consumers.runtime.faults.stumbling import Stumble
from consumers.runtime.loop.checkpointing import CommitPolicy
from consumers.runtime.loop.commits import Store
from consumers.runtime.loop.wire import Message, ProcessRecords
from consumers.runtime.position import Position
from consumers.runtime.progress.metric_lines import TellingStore
from consumers.runtime.progress.tracing import TracedApplication, TracedSink
from consumers.runtime.state.shard_state import ShardState
from consumers.runtime.state.snapshots import Commit, Lease
from consumers.runtime.worker.child import tune_garbage_collector
from load.benchmarks.fold import sample_lines
from load.benchmarks.measure import Benchmark, Reading, per_second
from producers.collector.app import Clocks, create_app
from producers.collector.clients.fingerprints import Fingerprints
from producers.collector.meters import Meter
from producers.collector.tracing import Traced
from producers.publisher.puts import Delivered, Settled

#: One event in a hundred is traced.
_SHARE = 0.01
_BATCHES_PER_COMMIT = 10
_REQUESTS = 4_000
_SHARD = "shardId-000000000000"


def shard() -> Benchmark:
    earlier, plain = sample_lines()
    marked = _marked(plain)
    count = sum(_records(line) for line in plain)
    return Benchmark(
        id="telemetry",
        what="analytics on one shard, decode to a commit's encoding: one event in 100 traced, spans sent by OTLP",
        unit="events/s",
        aim="≥ 0.97",
        least=0.97,
        peer_name="the same without telemetry",
        fairness="The same events; those that are traced carry their context, as the collector writes it. All threads of the "
        "process count, the exporter's too. Not in it on either side: the stores' calls.",
        clock="CPU",
        ours=lambda: _with_spans(lambda settings: _fold(_traced(settings), earlier, marked, count, True)),
        peer=lambda: _fold(APPLICATION, earlier, plain, count, False),
    )


def collector() -> Benchmark:
    return Benchmark(
        id="telemetry-collect",
        what="the collector's application, one event a request: one request in 100 traced, every one metered",
        unit="requests/s",
        aim="≥ 0.90 in process",
        least=0.90,
        peer_name="the same without telemetry",
        fairness="Called in process, without sockets and with a publisher that answers at once: the share that telemetry takes "
        "of a request is seven times what it is behind a real server. All threads of the process count.",
        clock="CPU",
        ours=lambda: _with_spans(_requests_told),
        peer=lambda: _requests(_untold()),
    )


@contextmanager
def _backend() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-m", "load.benchmarks.span_sink"], stdout=subprocess.PIPE, text=True) as sink:
        assert sink.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(sink.stdout.readline())}"
        finally:
            sink.kill()


def _with_spans(work: Callable[[Settings], Reading]) -> Reading:
    with _backend() as url:
        return work(Settings(trace_sampling=_SHARE, otlp_endpoint=url))


def _cpu(count: int, work: Callable[[], object]) -> Reading:
    """``count`` per second of the whole process's CPU time, with the collector set as in a shard's process."""
    threshold = gc.get_threshold()
    tune_garbage_collector()
    try:
        began = time.process_time()
        work()
        return Reading(per_second(count, time.process_time() - began))
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()


# a shard's process


def _traced(settings: Settings) -> TracedApplication:
    # on a busy machine a second of the clock holds little work: at full speed, work is as long as its CPU time
    return TracedApplication(APPLICATION, settings, time.process_time)


def _decoder() -> msgspec.json.Decoder[Message]:
    return msgspec.json.Decoder(Message)


def _batch(line: bytes) -> ProcessRecords:
    batch = _decoder().decode(line)
    assert isinstance(batch, ProcessRecords)
    return batch


def _records(line: bytes) -> int:
    return len(_batch(line).records)


def _marked(lines: list[bytes]) -> list[bytes]:
    """The daemon's lines with a trace context in every hundredth event."""
    every = round(1 / _SHARE)
    marked = []
    number = 0
    for line in lines:
        document = msgspec.json.decode(line)
        for record in document["records"]:
            number += 1
            if number % every == 0:
                event = msgspec.json.decode(msgspec.convert(record["data"], bytes))
                parent = TraceParent(0x66000000 << 96 | number, number, sampled=True)
                event.setdefault("context", {})["traceparent"] = str(parent)
                record["data"] = msgspec.to_builtins(msgspec.json.encode(event))
        marked.append(msgspec.json.encode(document))
    return marked


def _fold(application: Application, earlier: list[bytes], lines: list[bytes], count: int, told: bool) -> Reading:
    state = ShardState(application.name, application.open_fold(_SHARD), WHOLE_SPACE)
    sink: Sink = _Nowhere()
    store: Store = _NoStore()
    if isinstance(application, TracedApplication):
        sink = TracedSink(sink, application.journeys(_SHARD))
    if told:
        store = TellingStore(store, application.name, len)
    lease = Lease(shard_id=_SHARD, epoch=1)
    latency = _latency()
    decoder = _decoder()

    def fold(lines: list[bytes]) -> None:
        for number, line in enumerate(lines, 1):
            batch = decoder.decode(line)
            assert isinstance(batch, ProcessRecords)
            state.apply(batch.records)
            if number % _BATCHES_PER_COMMIT == 0:
                effects = state.fold.effects(flush=False)
                made = Commit(
                    position=state.position, state=state.changes(), full=False, progress=state.progress, latency=latency
                )
                sink.write(effects, state.position)
                # at full speed a commit comes once a second
                store.commit(lease, made, number // _BATCHES_PER_COMMIT * CommitPolicy().interval_ms)

    fold(earlier)

    def work() -> None:
        fold(lines)
        if isinstance(application, TracedApplication):
            application.close()

    return _cpu(count, work)


def _latency() -> str:
    samples = HdrHistogram(1, 3_600_000, 2)
    for milliseconds in range(100, 1_000, 7):
        samples.record_value(milliseconds)
    encoded: bytes = samples.encode()
    return encoded.decode()


class _Nowhere:
    def write(self, effects: object, position: Position) -> None: ...


class _NoStore:
    def take(self, shard_id: str, now_ms: int, hash_range: str = "") -> Lease:
        raise NotImplementedError

    def look(self, shard_id: str) -> Lease | None: ...

    def read(self, lease: Lease) -> list[bytes]:
        return []

    def commit(self, lease: Lease, commit: Commit, now_ms: int) -> None: ...

    def heartbeat(self, lease: Lease, behind_ms: int, arrival: Arrival, now_ms: int) -> None: ...

    def forget(self, shard_id: str) -> None: ...

    def stumbled(self, lease: Lease, stumble: Stumble) -> None: ...


# the collector


class _Takes:
    """A publisher whose Kinesis has every event at once."""

    forbidden = None

    def put_raw(
        self, key: str, data: bytes, on_settled: Callable[[Settled], None] | None = None, *, timeout: float | None = None
    ) -> None:
        assert on_settled is not None
        on_settled(Delivered(None, _SHARD, "1"))


class _Silent(Meter):
    def request(self, status: int, seconds: float) -> None: ...

    def events(self, answer: object) -> None: ...


def _app(meter: Meter, traces: Middleware | None) -> Starlette:
    clocks = Clocks(monotonic=time.monotonic, wall_ms=lambda: time.time_ns() // 1_000_000)
    return create_app(_Takes(), Fingerprints(os.urandom(32)), clocks, keys=None, meter=meter, traces=traces, stream="shop")


def _untold() -> Starlette:
    return _app(_Silent(), None)


def _requests_told(settings: Settings) -> Reading:
    tracing = Tracing(settings, "clickstream-collector")
    app = _app(Meter(), Middleware(Traced, tracing=tracing, share=_SHARE))
    return _requests(app, tracing.close)


def _requests(app: Starlette, close: Callable[[], None] = lambda: None) -> Reading:
    context = Context(device="a phone", country="FI", referrer="https://shop.example/")
    body = encode(
        Login(event_id="e" * 36, user_id="u" * 20, session_id="s" * 36, occurred_at=1_790_000_000_000, context=context)
    )
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/events",
        "raw_path": b"/v1/events",
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "server": ("127.0.0.1", 8081),
        "client": ("127.0.0.1", 50_000),
        "headers": [
            (b"host", b"127.0.0.1:8081"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
    statuses: list[int] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def all_of_them() -> None:
        for _ in range(_REQUESTS):
            await app({**scope}, receive, send)

    def work() -> None:
        asyncio.run(all_of_them())
        close()

    reading = _cpu(_REQUESTS, work)
    assert statuses == [200] * _REQUESTS
    return reading

"""``python -m load.benchmarks.kinesis_servers``: our embedded Kinesis beside the three others, the same calls to each.

Each server has one core to itself where there are two, and one shard; the client the other core. A server's rate is said twice:
by the wall clock, which is what a caller sees, and per second of the server's own CPU time, which is what one core can do and
hardly depends on what else the machine does.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from clickstream.aws import Clients
from clickstream.settings import from_env
from infra.local.processes import Children
from load.benchmarks import documents, report
from load.benchmarks.__main__ import warn_if_busy
from load.benchmarks.connection import Connection, Page, Put, next_page, put_body
from load.benchmarks.servers import REGION, Server, Starter, keep_off_the_servers_core

NAMES = ("ours", "ministack", "moto", "kinesis-mock")
RETAINED = 100_000
SMALL_RECORDS, SMALL_BYTES = 500, 200
#: An aggregate as our publisher and the KPL write it, and a MB of them in a call.
LARGE_RECORDS, LARGE_BYTES = 20, 51_200
#: One measurement moves this much at most.
_MOST_BYTES = 500_000_000
#: Filling a slow server up to ``RETAINED`` records ends after this many times the seconds of a measurement.
_FILL_PATIENCE = 15


class Rate(msgspec.Struct, frozen=True):
    """Records in ``seconds`` of the wall clock and ``cpu_seconds`` of the server's."""

    records: int
    bytes: int
    seconds: float
    cpu_seconds: float

    def per_second(self, *, of_cpu: bool) -> tuple[float, float]:
        """(records, MB)"""
        seconds = self.cpu_seconds if of_cpu else self.seconds
        return self.records / seconds, self.bytes / seconds / 1e6


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One server."""

    name: str
    large_puts: Rate
    small_puts: Rate
    retained: int
    """Small records that it held when they were put once more."""
    small_puts_later: Rate
    small_reads: Rate
    large_reads: Rate
    idle_mib: float
    filled_mib: float
    """Resident with ``held_mb`` of records."""
    held_mb: float


def measure_server(server: Server, seconds: float) -> Measured:
    """Everything about one server, which has just been started."""
    kinesis = Clients(server.settings, attempts=1).kinesis
    for stream in ("small", "large"):
        kinesis.create_stream(StreamName=stream, ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    idle = server.resident_mib()
    small = put_body("small", records=SMALL_RECORDS, size=SMALL_BYTES)
    large = put_body("large", records=LARGE_RECORDS, size=LARGE_BYTES)
    with Connection(server.url, REGION) as connection:

        def put(body: bytes, records: int, size: int) -> Callable[[], tuple[int, int]]:
            def once() -> tuple[int, int]:
                taken = records - connection.call("PutRecords", body, Put).failed
                return taken, taken * size

            return once

        put_small = put(small, SMALL_RECORDS, SMALL_BYTES)
        put_small()
        small_puts = _repeat(server, put_small, seconds)
        retained = _fill(put_small, SMALL_RECORDS + small_puts.records, seconds * _FILL_PATIENCE)
        small_puts_later = _repeat(server, put_small, seconds)
        small_reads = _repeat(server, _reader(connection, "small"), seconds)
        large_puts = _repeat(server, put(large, LARGE_RECORDS, LARGE_BYTES), seconds)
        large_reads = _repeat(server, _reader(connection, "large"), seconds)
        filled = server.resident_mib()
    held = (retained + small_puts_later.records) * SMALL_BYTES + large_puts.bytes
    return Measured(
        name=server.name,
        large_puts=large_puts,
        small_puts=small_puts,
        retained=retained,
        small_puts_later=small_puts_later,
        small_reads=small_reads,
        large_reads=large_reads,
        idle_mib=idle,
        filled_mib=filled,
        held_mb=held / 1e6,
    )


def _repeat(server: Server, once: Callable[[], tuple[int, int]], seconds: float) -> Rate:
    """``once`` gives records and bytes; a fast server is stopped before it has filled the machine's memory."""
    records = size = 0
    cpu, started = server.cpu_seconds(), time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds and size < _MOST_BYTES:
        more_records, more_bytes = once()
        records += more_records
        size += more_bytes
    return Rate(records, size, spent, server.cpu_seconds() - cpu)


def _fill(once: Callable[[], tuple[int, int]], held: int, seconds: float) -> int:
    """Put until ``RETAINED`` records are held or the time is over; how many are."""
    deadline = time.monotonic() + seconds
    while held < RETAINED and time.monotonic() < deadline:
        held += once()[0]
    return held


def _reader(connection: Connection, stream: str) -> Callable[[], tuple[int, int]]:
    """Reads the stream from its start to its end, and again."""
    body = connection.from_the_start(stream)

    def once() -> tuple[int, int]:
        nonlocal body
        page = connection.call("GetRecords", body, Page)
        at_the_end = not page.records or page.next_iterator is None
        body = connection.from_the_start(stream) if at_the_end else next_page(str(page.next_iterator))
        return len(page.records), sum(len(record.data) for record in page.records)

    return once


def table(measured: list[Measured]) -> str:
    """Markdown: what one core does, in brackets what a caller saw."""
    head = ["", *(each.name for each in measured)]
    rows = [
        [f"puts in records of {LARGE_BYTES:,} B, MB/s", *(_megabytes(each.large_puts) for each in measured)],
        [f"puts of {SMALL_RECORDS} × {SMALL_BYTES} B, records/s", *(_records(each.small_puts) for each in measured)],
        [
            f"the same with {RETAINED:,} records retained",
            *(
                _records(each.small_puts_later) + ("" if each.retained >= RETAINED else f", with {each.retained:,}")
                for each in measured
            ),
        ],
        [f"reads of {SMALL_BYTES} B records, records/s", *(_records(each.small_reads) for each in measured)],
        [f"reads of {LARGE_BYTES:,} B records, MB/s", *(_megabytes(each.large_reads) for each in measured)],
        ["resident memory at the start, MiB", *(f"{each.idle_mib:.0f}" for each in measured)],
        ["… at the end, and MB of records held", *(f"{each.filled_mib:.0f} for {each.held_mb:.0f}" for each in measured)],
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _records(rate: Rate) -> str:
    return f"{rate.per_second(of_cpu=True)[0]:,.0f} ({rate.per_second(of_cpu=False)[0]:,.0f})"


def _megabytes(rate: Rate) -> str:
    return f"{rate.per_second(of_cpu=True)[1]:,.1f} ({rate.per_second(of_cpu=False)[1]:,.1f})"


@click.command()
@click.option("--only", default=",".join(NAMES), show_default=True, help="Servers, separated by commas.")
@click.option("--seconds", default=2.0, show_default=True, help="Of each measurement.")
@click.option("--out", default="build/kinesis-servers.json", show_default=True, type=click.Path(path_type=Path))
@click.option("--write-docs", is_flag=True, help="Also bring docs/reference/local-kinesis.md up to date.")
def main(only: str, seconds: float, out: Path, write_docs: bool) -> None:
    """Measure local Kinesis servers, one after the other; print a table, write JSON."""
    names = only.split(",")
    if unknown := sorted(set(names) - set(NAMES)):
        raise click.BadParameter(f"{', '.join(unknown)} (known: {', '.join(NAMES)})", param_hint="--only")
    warn_if_busy()
    keep_off_the_servers_core()
    measured = []
    for name in names:
        click.echo(f"{name} …", err=True)
        with tempfile.TemporaryDirectory(prefix="clickstream-servers-") as folder, Children(grace=3) as children:
            measured.append(measure_server(_start(name, Starter(children, Path(folder), pinned=True)), seconds))
    content = {"servers": msgspec.to_builtins(measured), "machine": report.machine()}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(content, indent=2) + "\n")
    click.echo(table(measured))
    if write_docs:
        documents.write_servers(table(measured), documents.PAGES)


def _start(name: str, starter: Starter) -> Server:
    home = from_env().local_dir
    match name:
        case "ours":
            return starter.embedded()
        case "ministack":
            return starter.ministack(home)
        case "moto":
            return starter.moto()
        case _:
            return starter.kinesis_mock(home)


if __name__ == "__main__":
    main()

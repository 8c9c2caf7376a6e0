"""Readings of the peers that take minutes, kept beside the code with the day and the machine: ``--live-peers`` takes them anew.

KCL's defaults need two minutes for a start and up to three for a takeover; ``make bench`` would last half an hour with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from clickstream.errors import Missing
from clickstream.load.benchmarks.harness import report
from clickstream.load.benchmarks.harness.measure import Reading

FILE = Path(__file__).with_name("recorded.json")


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One live run of a peer."""

    figure: float
    extra: Mapping[str, float]
    day: str
    machine: str


def read(benchmark: str, file: Path = FILE) -> Reading:
    """What the peer of this benchmark showed; raises Missing when it never ran."""
    found = _all(file).get(benchmark)
    if found is None:
        raise Missing(f"the peer of {benchmark} was never recorded", hint=f"run it: --only {benchmark} --live-peers")
    return Reading(found.figure, found.extra)


def write(benchmark: str, reading: Reading, file: Path = FILE) -> None:
    """Keep a live run's reading, in place of the one before."""
    run = Recorded(
        figure=round(reading.figure, 2),
        extra={name: round(value, 2) for name, value in reading.extra.items()},
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=report.machine_line(),
    )
    text = msgspec.json.format(msgspec.json.encode({**_all(file), benchmark: run}, order="sorted"), indent=2)
    file.write_bytes(text + b"\n")


def _all(file: Path) -> dict[str, Recorded]:
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Recorded]) if file.exists() else {}

"""What the benchmarks came to: a table for people, JSON for machines, and the machine they ran on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import msgspec

from load.benchmarks.measure import Result

_PACKAGES = ("amazon-kclpy", "aws-kinesis-agg", "boto3", "datasketches", "msgspec", "protobuf")


def machine() -> dict[str, object]:
    """Processor, cores, memory and the versions that the figures depend on."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load_average": [round(value, 1) for value in os.getloadavg()],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def write_json(results: Mapping[str, Result], path: Path) -> None:
    """``{"id": {"ours", "peer", "unit", "ratio", "aim", "peer_name", …}}``, with the machine under ``"machine"``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {name: msgspec.to_builtins(result) for name, result in results.items()} | {"machine": machine()}
    path.write_text(json.dumps(content, indent=2) + "\n")


def table(results: Mapping[str, Result]) -> str:
    """A Markdown table, a line per benchmark."""
    lines = [
        "| id | what | ours | peer | ratio (least–most) | aim | peer's name |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        low, high = result.spread
        lines.append(
            f"| {name} | {result.what} | {_figure(result.ours)} {result.unit} | {_figure(result.peer)} {result.unit} "
            f"| **{result.ratio:.2f}** ({low:.2f}–{high:.2f}) | {result.aim} | {result.peer_name} |"
        )
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

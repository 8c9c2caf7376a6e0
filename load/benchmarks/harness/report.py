"""What the benchmarks came to: a table for people, JSON for machines, and the machine they ran on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import msgspec

from clickstream.load.benchmarks.harness.measure import Result

_PACKAGES = ("amazon-kclpy", "aws-kinesis-agg", "boto3", "datasketches", "msgspec", "protobuf")


def machine() -> dict[str, object]:
    """Processor, cores, memory and the versions that the figures depend on."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load_average": [round(value, 1) for value in os.getloadavg()],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def machine_line() -> str:
    """The same, for people."""
    memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    return f"{os.cpu_count()} × {_cpu()}, {memory} GiB, {platform.system()}, Python {platform.python_version()}"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")  # Linux only
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), platform.processor())


def write_json(results: Mapping[str, Result], path: Path) -> None:
    """``{"id": {"ours", "peer", "unit", "ratio", "aim", "peer_name", …}}``, with the machine under ``"machine"``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {name: msgspec.to_builtins(result) for name, result in results.items()} | {"machine": machine()}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def table(results: Mapping[str, Result]) -> str:
    """A Markdown table, a line per benchmark, and below it what else was measured."""
    lines = [
        "| id | what | ours | peer | ratio (least–most) | aim | reached | clock | load | peer's name |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        low, high = result.spread
        lines.append(
            f"| {name} | {result.what} | {figure(result.ours)} {result.unit} | {figure(result.peer)} {result.unit} "
            f"| **{result.ratio:.2f}** ({low:.2f}–{high:.2f}) | {result.aim} | {'yes' if result.reached else 'no'} "
            f"| {result.clock} | {max(result.load_average):.1f} | {result.peer_name} |"
        )
    further = [f"- {name}: {_extra(result.extra)}" for name, result in results.items() if result.extra]
    return "\n".join([*lines, "", *further] if further else lines)


def _extra(extra: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {figure(value)}" for name, value in extra.items())


def figure(value: float) -> str:
    """Three digits at least, no more decimals than they need."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

"""What the benchmarks came to: a table for people, JSON for machines, and the machine they ran on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from clickstream import terminal
from clickstream.load.benchmarks.harness.result import Result

_PACKAGES = ("amazon-kclpy", "aws-kinesis-agg", "boto3", "datasketches", "msgspec", "protobuf")
_NOTHING = "–"


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


def here_and_now() -> str:
    """When, at which commit and on what machine something is measured."""
    describe = ["git", "describe", "--always", "--dirty= and what was changed since", "--exclude=*", "--abbrev=10"]
    try:
        commit = subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        commit = ""
    return f"{datetime.now(UTC):%Y-%m-%d}{f' at commit {commit}' if commit else ''} on {machine_line()}"


def write_json(results: Mapping[str, Result], path: Path) -> None:
    """``{"id": {"ours", "peer", "unit", "ratio", "aim", "peer_name", …}}``, with the machine under ``"machine"``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {name: msgspec.to_builtins(result) for name, result in results.items()} | {"machine": machine()}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Result]:
    """What :func:`write_json` has written, or nothing."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    return {name: msgspec.convert(result, Result) for name, result in kept.items() if name != "machine"}


def table(results: Mapping[str, Result]) -> str:
    """A Markdown table, a line per benchmark, and below it what is missing, and what else was measured."""
    lines = [
        "| id | what | ours | peer | ratio (least–most) | aim | reached | clock | load | peer's name |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        sides = " | ".join(_NOTHING if side is None else f"{figure(side)} {result.unit}" for side in (result.ours, result.peer))
        lines.append(
            f"| {name} | {result.what} | {sides} | {_ratio(result)} | {result.aim} | {result.verdict} "
            f"| {result.clock} | {max(result.load_average):.1f} | {result.peer_name} |"
        )
    missing = [f"- {name}: {why}" for name, result in results.items() for why in result.reasons]
    further = [f"- {name}: {_extra(result.extra)}" for name, result in results.items() if result.extra]
    return "\n".join([*lines, *_part("Without a figure, and why:", missing), *_part("Measured besides:", further)])


def summary(results: Mapping[str, Result], wanted: int, seconds: float) -> str:
    """The end of a run: what misses its aim, and by how much; what has no verdict; that it is over."""
    by = {verdict: [name for name in results if results[name].verdict == verdict] for verdict in ("yes", "no", "unknown")}
    short = ", ".join(f"{name} ({results[name].margin:.2f} of it)" for name in by["no"])
    lines = [f"short of the aim: {short}"] if short else []
    lines += [f"no verdict: {name}: {'; '.join(results[name].reasons)}" for name in by["unknown"]]
    spent, left = terminal.length(seconds), wanted - len(results)
    ended = f"ended early after {spent}, {left} not measured" if left else f"finished in {spent}"
    counts = f"{len(by['yes'])} reach their aim, {len(by['no'])} fall short, {len(by['unknown'])} have no verdict"
    return "\n".join([*lines, f"{ended}: of {len(results)} benchmarks {counts}"])


def _ratio(result: Result) -> str:
    if result.ratio is None or result.spread is None:
        return _NOTHING
    return f"**{result.ratio:.2f}** ({result.spread[0]:.2f}–{result.spread[1]:.2f})"


def _part(title: str, lines: list[str]) -> list[str]:
    return ["", title, "", *lines] if lines else []


def _extra(extra: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {figure(value)}" for name, value in extra.items())


def figure(value: float) -> str:
    """Three digits at least, no more decimals than they need."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

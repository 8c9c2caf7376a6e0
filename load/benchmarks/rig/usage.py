"""CPU time and memory of processes, from Linux's /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> Iterator[int]:
    """The process and all below it that live now."""
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return  # it has just ended
    for child in children:
        yield from descendants(int(child))


def cpu_seconds(pids: list[int]) -> float:
    """CPU time that these processes have used, all threads; of those that have ended only what their parents reaped."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / _TICKS_PER_SECOND


def is_java(pid: int) -> bool:
    """Whether this process is a JVM."""
    try:
        return Path(f"/proc/{pid}/exe").readlink().name == "java"
    except OSError:
        return False  # it has just ended


def pss_mb(pid: int) -> float:
    """Memory of a process, its share of what it shares with others included (proportional set size)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def resident_mib(pid: int) -> float:
    """Memory that a process holds now, shared pages included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

"""``python -m tests.integration.drills.soak --minutes 20``: steady load, no fault, and the memory of every process over time.

PSS (shared pages divided among their sharers), sampled and fitted by a line. The first fifth is warm-up and left out. Exit code
0 only if no supervisor, zygote or JVM grows by more than ``--most`` MB an hour and the account is exact. Shard processes are
told, not judged: their state fills for as long as windows are kept, which is hours (see ``tests.integration.drills.plateau``).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression, mean

import msgspec

from clickstream.settings import from_env
from tests.integration.drills import report
from tests.integration.drills.account import settle
from tests.integration.drills.rig.site import Site, opened

Sample = tuple[float, float]
"""Seconds since the start, PSS in MB."""


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """One process's memory."""

    process: str
    samples: int
    mean_mb: float
    mb_per_hour: float


def pss_mb(pid: int) -> float | None:
    """None when the process has ended."""
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1]) / 1024


def processes(site: Site) -> dict[str, int]:
    """What runs, by a name that tells its pid: a process that is replaced is another one."""
    named: dict[str, int] = {f"{process.name} {process.pid}": process.pid for process in site.processes()}
    for worker in site.workers:
        parts = worker.parts()
        for role, pid in (("supervisor", parts.supervisor), ("JVM", parts.jvm), ("zygote", parts.zygote)):
            if pid is not None:
                named[f"worker {worker.name} {role} {pid}"] = pid
        named |= {f"worker {worker.name} shard {pid}": pid for pid in parts.shards}
    return named


def growth(samples: dict[str, list[Sample]], from_s: float) -> list[Growth]:
    """The line through each process's samples after ``from_s``."""
    rows = []
    for process, taken in sorted(samples.items()):
        kept = [sample for sample in taken if sample[0] >= from_s]
        if len(kept) < 5:
            continue
        slope, _ = linear_regression([at for at, _ in kept], [mb for _, mb in kept])
        rows.append(Growth(process=process, samples=len(kept), mean_mb=mean(mb for _, mb in kept), mb_per_hour=slope * 3600))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.drills.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=500.0, help="records a second")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between samples")
    parser.add_argument("--most", type=float, default=60.0, help="MB an hour that a process without state may grow by")
    parser.add_argument("--applications", default="analytics", help="separated by commas; analytics among them")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    home = from_env().local_dir.absolute()
    samples: dict[str, list[Sample]] = defaultdict(list)
    folder = (options.folder or home / "soak").absolute()
    with opened(folder, home=home, rate=options.rate, applications=options.applications.split(",")) as site:
        began, length_s = time.monotonic(), options.minutes * 60
        while (at := time.monotonic() - began) < length_s:
            site.check()
            for process, pid in processes(site).items():
                if (mb := pss_mb(pid)) is not None:
                    samples[process].append((at, mb))
            time.sleep(options.every)
        account = settle(site)
    rows = growth(samples, length_s / 5)
    for row in rows:
        print(f"{row.process:28} {row.mean_mb:7.1f} MB  {row.mb_per_hour:+7.1f} MB/h", file=sys.stderr)  # noqa: T201  progress
    print(report.told(account), file=sys.stderr)  # noqa: T201  progress
    print(json.dumps({"account": msgspec.to_builtins(account), "growth": msgspec.to_builtins(rows)}))  # noqa: T201  the result
    # the embedded AWS keeps what it was given, in memory: that grows by design
    stateless = [row for row in rows if row.process.startswith("worker") and " shard " not in row.process]
    flat = all(row.mb_per_hour <= options.most for row in stateless)
    return 0 if flat and account.exact else 1


if __name__ == "__main__":
    sys.exit(main())

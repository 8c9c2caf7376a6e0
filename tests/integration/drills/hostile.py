"""``python -m tests.integration.drills.hostile --duration 300 --rate 500``: the whole platform beside hostile clients.

Five applications, the collector and the dashboard as ``clickstream up`` starts them, a hostile run, its verdict, and the memory
of every process over the run. Exit code 0 only if all answers are exact, no process has ended, and none went over ``--most``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clickstream.infra.local import ministack, stack
from clickstream.settings import child_environment, from_env

PARTS = "aws,analytics,fraud,recommendations,archive,orders,collect,serve"
_FREE_PORTS = ("--port", "0", "--collect-port", "0", "--aws-port", "0", "--kinesis-port", "0")
_READY_S = 180.0
_STOP_S = 120.0
_EVERY_S = 1.0
_LAST_WORDS = 4_000


class Up:
    """``clickstream up`` in a folder of its own, on free ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self._environment = child_environment({"CLICKSTREAM_LOCAL_DIR": str(folder), "CLICKSTREAM_COMMIT_S": "20"})
        self._up: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ready, until the block ends; then all of it ends."""
        home = from_env().local_dir.absolute()
        ministack.install(home, stack.quiet)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "ministack").exists():
            (self.folder / "ministack").symlink_to(home / "ministack")
        log = self.folder / "up.log"
        with log.open("wb") as out:
            self._up = subprocess.Popen(
                self._command("up", "--only", PARTS, *_FREE_PORTS), env=self._environment, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        try:
            self._wait_until_ready(log)
            yield
        finally:
            self._up.send_signal(signal.SIGTERM)
            try:
                self._up.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._up.pid, signal.SIGKILL)
                self._up.wait()

    def _wait_until_ready(self, log: Path) -> None:
        assert self._up is not None
        deadline = time.monotonic() + _READY_S
        while "clickstream: ready" not in (said := log.read_text()):
            assert self._up.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        exported = re.findall(r"^export (.*)$", said, re.MULTILINE)[0]
        self._environment |= dict(word.split("=", 1) for word in shlex.split(exported))
        self.url = re.findall(r"events go to (http://[^/]+)/", said)[0]

    def command(self, *arguments: str) -> subprocess.Popen[bytes]:
        """One of our commands, whose stdout is to be read."""
        with (self.folder / "commands.log").open("ab") as log:
            return subprocess.Popen(
                self._command(*arguments), env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )

    def last_words(self) -> str:
        return (self.folder / "commands.log").read_text()[-_LAST_WORDS:]

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "clickstream.cli", *arguments]

    def processes(self) -> dict[int, str]:
        """Everything below ``up``, by what it does: the path of roles from the top."""
        assert self._up is not None
        found: dict[int, str] = {}
        left = [(self._up.pid, "")]
        while left:
            pid, above = left.pop()
            for child in _children(pid):
                found[child] = name = f"{above} {_role(child)}".strip()
                left.append((child, name))
        return found


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _role(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "ended"
    if "MultiLangDaemon" in words:
        return "JVM"
    if name in ("zygote", "shard"):
        return name
    if found := re.search(r"clickstream\.cli (worker \w+|collect|serve)", words):
        return found[1]
    found = re.search(r"infra\.local\.(\w+)|(ministack)", words)
    return (found[1] or found[2]) if found else words.split(" ")[0].rsplit("/", 1)[-1]


def _is_ours(role: str) -> bool:
    return role.startswith(("worker", "collect", "serve"))


def memory(pid: int) -> tuple[float, float] | None:
    """(RSS, PSS) in MB; None when the process has ended."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    sizes = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", told, re.MULTILINE))
    return (int(sizes["Rss"]) / 1024, int(sizes["Pss"]) / 1024) if len(sizes) == 2 else None


class Watch:
    """The highest memory of each process, and which of those there were at the start have ended."""

    def __init__(self, up: Up) -> None:
        self._up = up
        # what comes and goes by its nature is not among them: a Lambda function's process, and with a lease a shard's,
        # which the zygote has forked, and the shell by which the JVM talks to it
        lasting = ((pid, role) for pid, role in up.processes().items() if "shard" not in role and "JVM " not in role)
        self._first = {pid: role for pid, role in lasting if _is_ours(role)}
        self._most: dict[tuple[int, str], tuple[float, float]] = {}

    def look(self) -> None:
        for pid, role in self._up.processes().items():
            if (now := memory(pid)) is not None:
                rss, pss = self._most.get((pid, role), (0.0, 0.0))
                self._most[pid, role] = (max(rss, now[0]), max(pss, now[1]))

    def until(self, process: subprocess.Popen[bytes]) -> Any:
        """Look every second until a command has ended; its JSON."""
        while True:
            self.look()
            try:
                out, _ = process.communicate(timeout=_EVERY_S)
            except subprocess.TimeoutExpired:
                continue
            return process.returncode, json.loads(out) if out else {}

    def ended(self) -> list[str]:
        now = self._up.processes()
        return sorted(role for pid, role in self._first.items() if now.get(pid) != role)

    def table(self) -> dict[str, dict[str, float]]:
        """Role → how many processes, and the highest RSS and PSS of any one of them, in MB."""
        rows: dict[str, dict[str, float]] = {}
        for (_, role), (rss, pss) in sorted(self._most.items(), key=lambda item: item[0][1]):
            row = rows.setdefault(role, {"processes": 0, "rss_mb": 0.0, "pss_mb": 0.0})
            row["processes"] += 1
            row["rss_mb"], row["pss_mb"] = max(row["rss_mb"], round(rss, 1)), max(row["pss_mb"], round(pss, 1))
        return rows


def show(folder: Path, *, duration_s: float, rate: float, seed: int = 1, stall_s: float = 120.0) -> dict[str, Any]:
    """The whole of it: what was sent, the verdict, who ended, and the memory."""
    up = Up(folder)
    with up.running():
        watch = Watch(up)
        run = ["load", "run", "--profile", "hostile", "--rate", str(rate), "--duration", str(duration_s)]
        code, sent = watch.until(up.command(*run, "--seed", str(seed), "--url", up.url, "--json"))
        assert code == 0, up.last_words()
        code, report = watch.until(up.command("load", "verify", "--stall", str(stall_s), "--json"))
        assert report, up.last_words()
        return {"sent": sent, "verified": code == 0, "report": report, "ended": watch.ended(), "memory": watch.table()}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.drills.hostile", description=__doc__)
    parser.add_argument("--duration", type=float, default=300.0, help="seconds")
    parser.add_argument("--rate", type=float, default=500.0, help="records a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=float, default=256.0, help="MB of RSS that no process of ours may pass")
    parser.add_argument("--folder", type=Path, default=from_env().local_dir / "hostile")
    options = parser.parse_args(arguments)
    shown = show(options.folder.absolute(), duration_s=options.duration, rate=options.rate, seed=options.seed)
    for role, row in shown["memory"].items():
        print(f"| {role} | {row['processes']:.0f} | {row['rss_mb']:.0f} | {row['pss_mb']:.0f} |", file=sys.stderr)  # noqa: T201
    for problem in (*shown["report"]["problems"], *(f"ended: {role}" for role in shown["ended"])):
        print(problem, file=sys.stderr)  # noqa: T201  what is wrong, for a person
    print(json.dumps(shown))  # noqa: T201  the result
    # the embedded AWS keeps in memory whatever it is given
    ours = [row for role, row in shown["memory"].items() if _is_ours(role)]
    fits = all(row["rss_mb"] <= options.most for row in ours)
    return 0 if shown["verified"] and not shown["ended"] and fits else 1


if __name__ == "__main__":
    sys.exit(main())

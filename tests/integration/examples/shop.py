"""A shop with the four examples: ``clickstream up`` with a worker for each, and the commands of a person who uses them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.infra.local import stack
from clickstream.settings import Settings, child_environment, from_env
from tests.integration.drills.rig.workers import children
from tests.integration.platform.test_up import exported, said_until_ready, up

ROOT = Path(__file__).parents[3]
EXAMPLES = ("wishlist", "reminders", "stock", "campaigns")
DEADLINE_S = 180.0


def declared(folder: Path) -> dict[str, str]:
    """The variables that make the examples one shop's: its folder of event types, its applications."""
    events = folder / "events"
    events.mkdir()
    for schema in ROOT.glob("examples/*/*_events/*.json"):
        shutil.copy(schema, events)
    path = os.pathsep.join([*(str(ROOT / "examples" / name) for name in EXAMPLES), str(ROOT)])
    return {
        "PYTHONPATH": path,
        "CLICKSTREAM_EVENTS": str(events),
        "CLICKSTREAM_APPLICATIONS": ",".join(EXAMPLES),
    }


class Shop:
    def __init__(self, pid: int, settings: Settings, environment: dict[str, str], logs: Path) -> None:
        self.settings = settings
        self.clients = Clients(settings)
        self._pid, self._environment, self._logs = pid, environment, logs

    def run(self, *arguments: str, stdin: str = "") -> str:
        """A command's stdout."""
        done = subprocess.run(
            [sys.executable, "-m", "clickstream.cli", *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def produce(self, sent: list[dict[str, Any]]) -> None:
        self.run("produce", stdin="".join(json.dumps(fields) + "\n" for fields in sent))

    def shard_processes(self, application: str) -> list[int]:
        """Process ids, below the worker and its zygote."""
        workers = [pid for pid in children(self._pid) if _said(pid).endswith(f"worker {application}")]
        below = [child for worker in workers for child in children(worker)]
        return [shard for zygote in below if _named(zygote) == "zygote" for shard in children(zygote)]

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            logs = "\n".join(f"{log.name}: {log.read_text()[-2_000:]}" for log in self._logs.glob("*.log"))
            assert time.monotonic() < deadline, f"not in time: {what}\n{logs}"
            time.sleep(0.2)


@contextmanager
def opened(folder: Path) -> Iterator[Shop]:
    more = declared(folder)
    with up(folder, "--only", ",".join(("aws", *EXAMPLES)), "--shards", "2", **more) as program:
        said = said_until_ready(program)
        assert program.stdout is not None
        variables = exported(program.stdout.readline())
        assert [variables[name] for name in ("CLICKSTREAM_EVENTS", "CLICKSTREAM_APPLICATIONS")] == [*more.values()][1:], said
        settings = msgspec.structs.replace(from_env(variables), credentials=stack.CREDENTIALS)
        yield Shop(program.pid, settings, child_environment(variables | more), folder / "latest" / "logs")


def _named(pid: int) -> str:
    """The name by which ``ps`` shows a process, or nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _said(pid: int) -> str:
    """The command line of a process, or nothing when it has ended."""
    try:
        return re.sub("\0", " ", Path(f"/proc/{pid}/cmdline").read_text()).strip()
    except OSError:
        return ""

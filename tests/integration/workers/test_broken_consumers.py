"""A consumer that loses, doubles or mixes up one event in thousands, under KCL's real worker: verification fails and names it.

Everything around the fault is whole: the runtime's own counters say that all is well, so only the answers can tell.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clickstream.aws import Clients
from clickstream.infra.local import resources
from clickstream.infra.local.stack import Stack
from clickstream.load.verdict import progress
from clickstream.settings import Settings, child_environment

pytestmark = [
    pytest.mark.integration,
    pytest.mark.java,
    pytest.mark.skipif(sys.platform != "linux", reason="the broken application comes in through the zygote"),
]

_DEADLINE_S = 120.0
#: More than one in ten thousand has to be broken, on one shard: 12,000 events.
_RUN = ("load", "run", "--rate", "3000", "--duration", "4", "--seed", "11", "--json")
_VERIFY = ("load", "verify", "--only", "analytics", "--json")


class Site:
    """A stream of one shard, and the commands of a person who uses it."""

    def __init__(self, settings: Settings, environment: dict[str, str], log: Path) -> None:
        self._settings = settings
        self._environment = environment
        self._log = log
        self._dynamodb = Clients(settings).dynamodb

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """A command's exit code and its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "clickstream.cli", *arguments],
            env=self._environment,
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )
        assert done.stdout, done.stderr.decode()
        return done.returncode, json.loads(done.stdout)

    @contextmanager
    def broken(self, variant: str) -> Iterator[None]:
        """The worker, from when it owns the shard."""
        with self._log.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.broken.worker", variant],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        try:
            deadline = time.monotonic() + _DEADLINE_S
            while not progress.read(self._dynamodb, self._settings, "analytics"):
                assert worker.poll() is None, self._log.read_text()
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.1)
            yield
        finally:
            worker.kill()  # its JVM and shard process die with it
            worker.wait()


@pytest.fixture
def site(settings: Settings, local_aws: Stack, tmp_path: Path) -> Site:
    resources.create(Clients(settings), settings, shards=1)
    environment = child_environment(
        {**local_aws.environment, "CLICKSTREAM_NAME": settings.name, "CLICKSTREAM_LOCAL_DIR": str(tmp_path)}
    )
    return Site(settings, environment, tmp_path / "worker.log")


@pytest.mark.parametrize(
    ("variant", "named", "lost", "duplicated"),
    [
        ("drops", "analytics lost 1 event: 1 ", 1, 0),
        ("doubles", "analytics counted 1 event more often than once: 1 ", 0, 1),
        ("swaps", "analytics swapped visitors: every event is counted", 0, 0),
    ],
)
def test_verification_fails_and_names_the_fault(site: Site, variant: str, named: str, lost: int, duplicated: int) -> None:
    with site.broken(variant):
        code, sent = site.run(*_RUN)
        assert code == 0, sent
        code, report = site.run(*_VERIFY)

    assert code == 1
    assert report["processed"] == sent["events"] > 10_000, "the runtime's own account is in order"
    assert any(problem.startswith(named) for problem in report["problems"]), report["problems"]
    assert (report["lost"], report["duplicated"]) == (lost, duplicated)
    assert report["wrong"] > 0

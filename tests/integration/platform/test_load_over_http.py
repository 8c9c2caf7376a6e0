"""Load through the collector: what is no event is refused at the door, all else is exact, by two senders side by side."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from clickstream.aws import Clients
from clickstream.infra.local import resources, roles
from clickstream.infra.local.stack import Stack
from clickstream.load.verdict import progress
from clickstream.settings import Settings, child_environment

pytestmark = [pytest.mark.integration, pytest.mark.java]

_DEADLINE_S = 120.0
_APPLICATIONS = ("analytics", "recommendations")


class Site:
    """Processes of the platform on a stream of our own."""

    def __init__(self, settings: Settings, environment: dict[str, str], folder: Path) -> None:
        self.settings = settings
        self.log = folder / "log"
        self._environment = environment
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @contextmanager
    def running(self, *arguments: str) -> Iterator[None]:
        role = arguments[1] if arguments[0] == "worker" else {"collect": "collector", "serve": "serving"}[arguments[0]]
        if arguments[0] == "worker":
            resources.create_lease_tables(Clients(self.settings), self.settings, role)
        environment = self._environment | roles.variables(self.settings.name, role)
        with self.log.open("ab") as log:
            process = subprocess.Popen(self._command(arguments), env=environment, stdout=log, stderr=log)
        try:
            yield
            assert process.poll() is None, self.log.read_text()
        finally:
            process.kill()
            process.wait()

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """A command's exit code and its JSON."""
        done = subprocess.run(
            self._command(arguments), env=self._environment, capture_output=True, timeout=_DEADLINE_S, check=False
        )
        assert done.stdout, done.stderr.decode()
        return done.returncode, json.loads(done.stdout)

    def is_ready(self) -> bool:
        dynamodb = Clients(self.settings).dynamodb
        if not all(len(progress.read(dynamodb, self.settings, name)) == 2 for name in _APPLICATIONS):
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @staticmethod
    def _command(arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "clickstream.cli", *arguments]


@pytest.fixture
def site(provisioned: Settings, local_aws: Stack, tmp_path: Path) -> Site:
    environment = child_environment(
        {**local_aws.environment, "CLICKSTREAM_NAME": provisioned.name, "CLICKSTREAM_LOCAL_DIR": str(tmp_path)}
    )
    return Site(provisioned, environment, tmp_path)


def test_a_black_friday_through_the_collector_is_exact(site: Site) -> None:
    with ExitStack() as parts:
        parts.enter_context(site.running("collect", "--port", str(site.port)))
        for name in _APPLICATIONS:
            parts.enter_context(site.running("worker", name))
        deadline = time.monotonic() + _DEADLINE_S
        while not site.is_ready():
            assert time.monotonic() < deadline, site.log.read_text()
            time.sleep(0.2)
        code, sent = site.run(
            "load", "run", "--via", "http", "--url", f"http://127.0.0.1:{site.port}", "--rate", "400", "--duration", "8",
            "--profile", "black-friday", "--seed", "5", "--processes", "2", "--json",
        )  # fmt: skip
        assert code == 0, sent
        code, report = site.run("load", "verify", "--only", ",".join((*_APPLICATIONS, "dead-letters")), "--json")

    assert report["problems"] == []
    assert code == 0
    assert sent["refused"] == sent["malformed"] + sent["kinds"].get("oversized", 0) > 0
    assert report["dead_lettered"] == report["letters"]["letters"] == 0
    assert report["applications"]["recommendations"]["compared"] > 100
    assert report["processed"] == sent["events"] > 2_000

"""`clickstream up` over a stream that was deleted and made again under its name."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clickstream.aws import Clients
from clickstream.infra.local.stack import Stack
from clickstream.settings import Settings, child_environment

pytestmark = [pytest.mark.integration, pytest.mark.java]

_DEADLINE_S = 90.0


@contextmanager
def _up(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "clickstream.cli", "up", "--only", "analytics", "--shards", "1"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=_DEADLINE_S)


def _said_until_ready(program: subprocess.Popen[str]) -> str:
    assert program.stderr is not None
    said = ""
    for line in program.stderr:
        said += line
        if line == "clickstream: ready\n":
            break
    return said


def test_it_ends_with_one_line_that_names_the_way_out_and_that_is_one(
    settings: Settings, local_aws: Stack, tmp_path: Path
) -> None:
    environment = child_environment(
        {**local_aws.environment, "CLICKSTREAM_NAME": settings.name, "CLICKSTREAM_LOCAL_DIR": str(tmp_path)}
    )
    kinesis = Clients(settings).kinesis
    with _up(environment) as program:
        assert _said_until_ready(program).endswith("clickstream: ready\n")

    kinesis.delete_stream(StreamName=settings.stream)
    kinesis.get_waiter("stream_not_exists").wait(StreamName=settings.stream, WaiterConfig={"Delay": 1})
    with _up(environment) as program:
        _, said = program.communicate(timeout=_DEADLINE_S)
    assert program.returncode == 1
    assert "clickstream worker analytics --forget" in said.splitlines()[-1]
    log = (tmp_path / "latest" / "logs" / "analytics.log").read_text()
    assert f"stream {settings.stream} was made again" in log

    subprocess.run(
        [sys.executable, "-m", "clickstream.cli", "worker", "analytics", "--forget"],
        env=environment,
        check=True,
        timeout=_DEADLINE_S,
    )
    with _up(environment) as program:
        assert _said_until_ready(program).endswith("clickstream: ready\n")

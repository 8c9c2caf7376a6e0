"""kill -9 of the embedded Kinesis under load, twice: what it had acknowledged is there, in order, and the publisher goes on."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest

from clickstream.aws import Clients
from clickstream.infra.local.stack import claim
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.limits import Limits
from clickstream.producers.publisher.puts import Delivered, Settled
from clickstream.settings import Settings
from tests.integration.publisher.stream import delivered, event, split_first

pytestmark = pytest.mark.integration


def serve(port: int, state: Path) -> subprocess.Popen[str]:
    """A durable server that is ready."""
    command = [sys.executable, "-m", "clickstream.infra.local.kinesis", "--port", str(port), "--state", str(state)]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    said = ""
    while not re.search(r"ready on \S+", said):
        said = server.stderr.readline()
        assert said, "the server did not come up"
    return server


def end(server: subprocess.Popen[str]) -> None:
    os.kill(server.pid, signal.SIGKILL)
    server.wait(10)
    assert server.stderr is not None
    server.stderr.close()


def until_settled(settled: list[Settled], count: int) -> None:
    deadline = time.monotonic() + 60
    while len(settled) < count:
        assert time.monotonic() < deadline, f"{len(settled)} of {count} events were settled"
        time.sleep(0.01)


def test_no_acknowledged_event_is_lost_over_two_kills(tmp_path: Path) -> None:
    (port,) = claim((0, "--port"))
    settings = Settings(endpoint_url=f"http://127.0.0.1:{port}")
    added: dict[str, list[bytes]] = defaultdict(list)
    settled: list[Settled] = []
    stop = threading.Event()
    server = serve(port, tmp_path)
    try:
        kinesis = Clients(settings).kinesis
        kinesis.create_stream(StreamName=settings.stream, ShardCount=2)
        with KinesisPublisher(settings, Limits(pack_bytes=4_096, linger=0.01, backoff_limit=0.2)) as publisher:

            def load() -> None:
                for first in itertools.count(step=10):
                    if stop.wait(0.002):
                        return
                    for number in range(first, first + 10):
                        user = f"user-{number * 7919 % 101}"
                        data = event(user, number)
                        added[user].append(data)
                        publisher.put_raw(user, data, settled.append)

            loading = threading.Thread(target=load)
            loading.start()
            try:
                for _ in range(2):
                    until_settled(settled, len(settled) + 2_000)
                    split_first(kinesis, settings.stream)
                    until_settled(settled, len(settled) + 500)
                    end(server)
                    server = serve(port, tmp_path)
                until_settled(settled, len(settled) + 2_000)
            finally:
                stop.set()
                loading.join()
            publisher.flush(60)
            counters = publisher.counters
        assert counters.retried > 0, "the kills hit no call"
        assert all(isinstance(each, Delivered) for each in settled)
        assert len(settled) == sum(map(len, added.values())) == counters.delivered
        assert delivered(kinesis, settings.stream, drops=True) == added
    finally:
        end(server)

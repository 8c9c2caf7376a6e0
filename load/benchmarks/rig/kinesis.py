"""An embedded Kinesis alone: for benchmarks of producers, which need none of the other services."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clickstream.aws import Clients
from clickstream.settings import Settings, child_environment
from infra.local import stack
from infra.local.processes import Children, wait_until

_GRACE_S = 5.0


@contextmanager
def limited_stream() -> Iterator[Settings]:
    """Settings for a stream of one fresh shard whose write limits are enforced; the server ends with the block."""
    (port,) = stack.claim((0, "--port"))
    command = [sys.executable, "-m", "infra.local.kinesis", "--port", str(port), "--limits"]
    with tempfile.TemporaryDirectory(prefix="clickstream-kinesis-") as folder, Children(grace=_GRACE_S) as children:
        children.start("kinesis", command, environment=child_environment({}), log=Path(folder) / "kinesis.log")
        deadline = time.monotonic() + stack.START_SECONDS
        wait_until(lambda: stack.answers(port, "/health"), "kinesis", deadline, check=children.check)
        settings = Settings(endpoint_url=f"http://{stack.HOST}:{port}", credentials=stack.CREDENTIALS)
        kinesis = Clients(settings).kinesis
        kinesis.create_stream(StreamName=settings.stream, ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName=settings.stream, WaiterConfig={"Delay": 1})
        yield settings

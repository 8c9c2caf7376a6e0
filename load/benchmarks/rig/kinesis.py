"""An embedded Kinesis alone: for benchmarks of producers, which need none of the other services."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from clickstream.infra.local import stack
from clickstream.infra.local.processes import Children, wait_until
from clickstream.settings import Settings, child_environment

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_GRACE_S = 5.0


@contextmanager
def stream(*, shards: int = 1, limits: bool = False, certificate: Path | None = None) -> Iterator[Settings]:
    """Settings for a fresh stream; the server ends with the block.

    ``limits``: whether the shards' write limits are enforced. ``certificate``: a file that :func:`make_certificate` has made;
    the server then speaks TLS.
    """
    (port,) = stack.claim((0, "--port"))
    command = [sys.executable, "-m", "clickstream.infra.local.kinesis", "--port", str(port), *(["--limits"] if limits else [])]
    if certificate is not None:
        command += ["--certificate", str(certificate), "--key", str(_key_of(certificate))]
    with tempfile.TemporaryDirectory(prefix="clickstream-kinesis-") as folder, Children(grace=_GRACE_S) as children:
        log = Path(folder) / "kinesis.log"
        children.start("kinesis", command, environment=child_environment({}), log=log)
        deadline = time.monotonic() + stack.START_SECONDS
        wait_until(lambda: "ready on" in log.read_text(), "kinesis", deadline, check=children.check)
        scheme = "http" if certificate is None else "https"
        settings = Settings(endpoint_url=f"{scheme}://{stack.HOST}:{port}", credentials=stack.CREDENTIALS)
        with observer(settings, certificate) as kinesis:
            kinesis.create_stream(StreamName=settings.stream, ShardCount=shards)
            kinesis.get_waiter("stream_exists").wait(StreamName=settings.stream, WaiterConfig={"Delay": 1})
        yield settings


@contextmanager
def observer(settings: Settings, certificate: Path | None = None) -> Iterator[KinesisClient]:
    """A plain client for who looks on; closed with the block: over TLS the server waits for the last to go."""
    key, secret = stack.CREDENTIALS
    client: KinesisClient = boto3.client(
        "kinesis",
        region_name=settings.region,
        endpoint_url=settings.endpoint("kinesis"),
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        verify=None if certificate is None else str(certificate),
    )
    try:
        yield client
    finally:
        client.close()


def make_certificate(folder: Path) -> Path:
    """A self-signed certificate of this machine's loopback address, its key beside it."""
    certificate = folder / "certificate.pem"
    name = ["-subj", "/CN=localhost", "-addext", f"subjectAltName=IP:{stack.HOST}"]
    files = ["-keyout", str(_key_of(certificate)), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return certificate


def _key_of(certificate: Path) -> Path:
    return certificate.with_name("key.pem")

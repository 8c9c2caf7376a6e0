"""The server process: arguments, socket, signals."""

from __future__ import annotations

import argparse
import asyncio
import gc
import ipaddress
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import hypercorn.asyncio
import hypercorn.config

from infra.local.kinesis.app import KinesisApp
from infra.local.kinesis.limits import MAX_RECORD_KIB, MIN_RECORD_KIB
from infra.local.kinesis.model import ModelSettings
from infra.local.kinesis.regions import Regions


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 could not start, 2 wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        listener = _listen(arguments.host, arguments.port)
    except OSError as error:
        print(f"kinesis: cannot listen on {arguments.host}:{arguments.port}: {error.strerror}", file=sys.stderr)  # noqa: T201 -- the one line that a person reads
        return 1
    settings = ModelSettings(
        seed=arguments.seed,
        enforce_limits=arguments.limits,
        shard_quota=arguments.shard_quota,
        transition_ms=arguments.transition_ms,
        retention_bytes=arguments.retention_mib * 1024 * 1024 if arguments.retention_mib else None,
        max_record_kib=arguments.max_record_size,
    )
    asyncio.run(_serve(listener, settings, arguments))
    return 0


async def _serve(listener: socket.socket, settings: ModelSettings, arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = KinesisApp(Regions(settings))
    config = _config(listener, arguments.certificate, arguments.key)
    host, port = listener.getsockname()[:2]
    scheme = "https" if arguments.certificate else "http"
    gc.freeze()
    print(f"kinesis: ready on {scheme}://{host}:{port}", file=sys.stderr, flush=True)  # noqa: T201 -- the ready line
    await hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]  # hypercorn's own ASGI types


def _config(listener: socket.socket, certificate: Path | None, key: Path | None) -> hypercorn.config.Config:
    config = hypercorn.config.Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.accesslog = None
    config.errorlog = None
    config.keep_alive_timeout = 3600
    config.keep_alive_max_requests = sys.maxsize
    config.graceful_timeout = 1
    config.shutdown_timeout = 2
    config.include_server_header = False
    config.h2_max_concurrent_streams = 1000
    if certificate is not None:
        config.certfile, config.keyfile = str(certificate), str(key)
    return config


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    listener.setblocking(False)
    return listener


def _loopback(text: str) -> str:
    host = "127.0.0.1" if text == "localhost" else text
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a loopback address: whoever reaches this server may do anything")


def _record_size(text: str) -> int:
    if text.isdecimal() and MIN_RECORD_KIB <= int(text) <= MAX_RECORD_KIB:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be {MIN_RECORD_KIB} to {MAX_RECORD_KIB} KiB")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local.kinesis", description=__doc__)
    parser.add_argument("--host", type=_loopback, default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and tells it in the ready line")
    parser.add_argument("--state", type=Path, metavar="DIR", help="keep streams and records in this folder")
    parser.add_argument("--limits", action="store_true", help="enforce the shards' write and read limits")
    parser.add_argument("--seed", type=int, default=0, help="seals tokens and draws faults")
    parser.add_argument("--max-record-size", type=_record_size, default=MIN_RECORD_KIB, metavar="KIB", help="of new streams")
    parser.add_argument("--shard-quota", type=int, default=500, help="open shards of the account")
    parser.add_argument("--transition-ms", type=int, default=0, help="how long a stream stays CREATING, UPDATING, DELETING")
    parser.add_argument("--retention-mib", type=int, metavar="MIB", help="bytes retained per shard at most")
    parser.add_argument("--certificate", type=Path, help="PEM file: serve TLS (HTTP/2 by ALPN)")
    parser.add_argument("--key", type=Path, help="PEM file of the certificate's key")
    return parser

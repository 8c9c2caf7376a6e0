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

from clickstream.errors import UserMistake
from clickstream.infra.local.gate.gate import Gate
from clickstream.infra.local.gate.policies import Policies
from clickstream.infra.local.kinesis.http.app import KinesisApp, wall_clock_ms
from clickstream.infra.local.kinesis.model.settings import ModelSettings
from clickstream.infra.local.kinesis.regions import Regions
from clickstream.infra.local.kinesis.storage.durable import DurableJournal
from clickstream.infra.local.limits.kinesis import MAX_RECORD_KIB, MIN_RECORD_KIB
from clickstream.infra.local.limits.units import MIB


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 could not start or go on, 2 wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        listener = _listen(arguments.host, arguments.port)
        journal = DurableJournal(arguments.state) if arguments.state else None
    except OSError as error:
        place = error.filename or f"{arguments.host}:{arguments.port}"
        _say(f"cannot use {place}: {error.strerror}")
        return 1
    except UserMistake as error:
        _say(str(error))
        return 1
    return asyncio.run(_Server(listener, journal, arguments).run())


class _Server:
    """One run of the server."""

    def __init__(self, listener: socket.socket, journal: DurableJournal | None, arguments: argparse.Namespace) -> None:
        self._listener = listener
        self._journal = journal
        self._arguments = arguments
        self._stop = asyncio.Event()
        self._exit_code = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        regions = Regions(_settings(self._arguments), self._journal)
        if self._journal is not None:
            try:
                restored = self._journal.restore(regions, wall_clock_ms())
            except UserMistake as error:
                _say(f"{error}; {error.hint}")
                return 1
            except OSError as error:
                _say(f"cannot use {error.filename}: {error.strerror}")
                return 1
            _say(f"{restored} records of {len(regions.streams())} streams restored from {self._arguments.state}")
        app = KinesisApp(
            regions, flush=self._flush if self._journal is not None else None, gate=_gate(self._arguments.policies)
        )
        gc.collect()
        gc.freeze()  # objects that live as long as the process need no collection
        host, port = self._listener.getsockname()[:2]
        _say(f"ready on {'https' if self._arguments.certificate else 'http'}://{host}:{port}")
        await hypercorn.asyncio.serve(app, self._config(), shutdown_trigger=self._stop.wait)  # type: ignore[arg-type]  # ours are plain dicts
        if self._journal is not None:
            self._journal.close()
        return self._exit_code

    async def _flush(self) -> None:
        assert self._journal is not None
        try:
            await self._journal.flush()
        except OSError as error:
            # nothing can be made durable any more, so nothing may be acknowledged
            _say(f"cannot write to {self._arguments.state}: {error.strerror}; stopping")
            self._exit_code = 1
            self._stop.set()
            raise

    def _config(self) -> hypercorn.config.Config:
        config = hypercorn.config.Config()
        config.bind = [f"fd://{self._listener.fileno()}"]
        config.accesslog = None
        config.errorlog = None
        config.keep_alive_timeout = 3600
        config.keep_alive_max_requests = sys.maxsize
        config.graceful_timeout = 1
        config.shutdown_timeout = 2
        config.include_server_header = False
        config.h2_max_concurrent_streams = 1000
        if self._arguments.certificate is not None:
            config.certfile, config.keyfile = str(self._arguments.certificate), str(self._arguments.key)
        return config


def _gate(policies: Path | None) -> Gate | None:
    return None if policies is None else Gate(Policies.read(policies.read_text()))


def _settings(arguments: argparse.Namespace) -> ModelSettings:
    return ModelSettings(
        seed=arguments.seed,
        enforce_limits=arguments.limits,
        shard_quota=arguments.shard_quota,
        transition_ms=arguments.transition_ms,
        retention_bytes=arguments.retention_mib * MIB if arguments.retention_mib else None,
        max_record_kib=arguments.max_record_size,
    )


def _say(line: str) -> None:
    print(f"kinesis: {line}", file=sys.stderr, flush=True)  # noqa: T201 -- progress belongs on stderr


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
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
    raise argparse.ArgumentTypeError(f"{text!r} is not a loopback address, and any client of this server may do anything")


def _record_size(text: str) -> int:
    if text.isdecimal() and MIN_RECORD_KIB <= int(text) <= MAX_RECORD_KIB:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be {MIN_RECORD_KIB} to {MAX_RECORD_KIB} KiB")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clickstream.infra.local.kinesis", description="The embedded Kinesis.")
    option = parser.add_argument
    option("--host", type=_loopback, default="127.0.0.1", help="a loopback address")
    option("--port", type=int, required=True, help="0 takes a free one, which the ready line names")
    option("--state", type=Path, metavar="DIR", help="keep streams and records in this folder")
    option("--policies", type=Path, metavar="FILE", help="allow each role only what this file allows")
    option("--limits", action="store_true", help="enforce the shards' write and read limits")
    option("--seed", type=int, default=0, help="seals tokens and draws faults")
    option("--max-record-size", type=_record_size, default=MIN_RECORD_KIB, metavar="KIB", help="of new streams")
    option("--shard-quota", type=int, default=500, help="open shards of the account")
    option("--transition-ms", type=int, default=0, help="how long a stream is CREATING, UPDATING or DELETING")
    option("--retention-mib", type=int, metavar="MIB", help="bytes retained per shard at most")
    option("--certificate", type=Path, metavar="PEM", help="serve TLS, with HTTP/2 by ALPN")
    option("--key", type=Path, metavar="PEM", help="the certificate's key")
    return parser

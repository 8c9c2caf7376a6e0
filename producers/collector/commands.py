"""``clickstream collect`` and the keys that its clients present."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clickstream.errors import Missing, UserMistake
from clickstream.web.origins import option as origin_option

if TYPE_CHECKING:
    from starlette.middleware import Middleware

    from clickstream.settings import Settings


@click.group(
    invoke_without_command=True, epilog="Example: clickstream collect --keys collector-keys.json --origin https://shop.example"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8081, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one."
)
@click.option(
    "--keys",
    "keys_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the clients' API keys; without it, this machine alone is served.",
)
@origin_option
@click.option("--trusted-proxy", "proxies", multiple=True, metavar="NETWORK", help="Proxies whose X-Forwarded-For is believed.")
@click.option("--allow-remote", is_flag=True, help="Permit a --host that other machines can reach; needs --keys.")
@click.pass_context
def collect(
    context: click.Context,
    host: str,
    port: int,
    keys_file: Path | None,
    origins: tuple[str, ...],
    proxies: tuple[str, ...],
    allow_remote: bool,
) -> None:
    """The HTTP collector; Ctrl-C or SIGTERM ends it, once the requests under way are answered.

    \b
    POST /v1/events    one event, a JSON array of them, or NDJSON; gzip too. 200: Kinesis has them all
    /clickstream.js    the tracker for a shop's pages
    /healthz /readyz
    /metrics           for Prometheus, on this machine alone
    """
    if context.invoked_subcommand is not None:
        return
    # --help must not wait for the imports of a web server and of boto3
    from clickstream.producers.collector import server
    from clickstream.producers.collector.app import Clocks, create_app
    from clickstream.producers.collector.clients import hash_key, keys
    from clickstream.producers.collector.clients.fingerprints import Fingerprints
    from clickstream.producers.collector.meters import Meter
    from clickstream.producers.publisher.kinesis import KinesisPublisher
    from clickstream.producers.publisher.limits import Limits
    from clickstream.settings import from_env
    from clickstream.telemetry import logs
    from clickstream.web.listening import is_loopback, listen, url

    trusted = [_network(text) for text in proxies]
    local = is_loopback(host)
    if not local and not allow_remote:
        raise UserMistake(f"{host} can be reached from other machines", hint="add --allow-remote if that is meant")
    if not local and keys_file is None:
        raise UserMistake(
            "a collector that others can reach needs API keys", hint="clickstream collect keys add NAME --keys FILE"
        )
    settings = from_env()
    known = None if keys_file is None else keys.read(keys_file)
    fingerprints = Fingerprints(hash_key.load(settings, may_generate=local))
    logs.to_stderr(settings.log_level)
    listener = listen(host, port, backlog=server.MOST_CONNECTIONS)
    # a request waits for its events, so they linger but briefly
    limits = Limits(linger=0.01, time_to_live=8.0)
    with listener, KinesisPublisher(settings, limits) as publisher, _traced(settings) as traces:
        app = create_app(
            publisher,
            fingerprints,
            Clocks(monotonic=time.monotonic, wall_ms=lambda: time.time_ns() // 1_000_000),
            keys=known,
            origins=origins,
            trusted=trusted,
            meter=Meter(publisher),
            traces=traces,
            stream=settings.stream,
        )
        address = url(listener)
        ready = server.server(
            app, on_ready=lambda: click.echo(f"collecting on {address}v1/events", err=True), on_stop=app.state.drain
        )
        ready.serve_until_signal(listener)


@contextmanager
def _traced(settings: Settings) -> Iterator[Middleware | None]:
    """The middleware that traces, whose libraries only who traces pays for."""
    if not settings.trace_sampling:
        yield None
        return
    from starlette.middleware import Middleware

    from clickstream.producers.collector.tracing import Traced
    from clickstream.telemetry.tracing import Tracing

    tracing = Tracing(settings, "clickstream-collector")
    try:
        yield Middleware(Traced, tracing=tracing, share=settings.trace_sampling)
    finally:
        tracing.close()


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}", param_hint="--trusted-proxy") from error


_KEYS = click.option(
    "--keys",
    "keys_file",
    default=Path("collector-keys.json"),
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file.",
)


@collect.group("keys")
def keys_group() -> None:
    """The API keys of the collector's clients; a running collector reads them at its start."""


@keys_group.command("add", epilog="Example: clickstream collect keys add shop-web --rate 2000")
@click.argument("name")
@_KEYS
@click.option(
    "--rate", default=1_000.0, show_default=True, type=click.FloatRange(min=0, min_open=True), help="Events per second."
)
@click.option("--burst", default=5_000.0, show_default=True, type=click.FloatRange(min=1), help="Events at once.")
@click.option("--relay", is_flag=True, help="For a server: the ip in its events' context counts, not its own.")
def add(name: str, keys_file: Path, rate: float, burst: float, relay: bool) -> None:
    """Make a key and print it, once: the file keeps its hash alone."""
    from clickstream.producers.collector.clients import keys

    known = keys.read(keys_file) if keys_file.exists() else []
    if any(key.name == name for key in known):
        raise UserMistake(f"there is a key named {name}", hint=f"clickstream collect keys remove {name} --keys {keys_file}")
    key, entry = keys.generate(name, rate=rate, burst=burst, relay=relay)
    keys.write(keys_file, [*known, entry])
    click.echo(key)
    click.echo(f"clickstream: {keys_file} knows {name}; the key is shown this once", err=True)


@keys_group.command("list", epilog="Example: clickstream collect keys list")
@_KEYS
def list_keys(keys_file: Path) -> None:
    """Names and rates, as NDJSON."""
    import msgspec

    from clickstream.producers.collector.clients import keys

    for key in keys.read(keys_file):
        entry = {name: value for name, value in msgspec.to_builtins(key).items() if name != "sha256"}
        click.echo(msgspec.json.encode(entry).decode())


@keys_group.command("remove", epilog="Example: clickstream collect keys remove shop-web")
@click.argument("name")
@_KEYS
def remove(name: str, keys_file: Path) -> None:
    """Forget a key; collectors that run refuse it after their next start."""
    from clickstream.producers.collector.clients import keys

    known = keys.read(keys_file)
    left = [key for key in known if key.name != name]
    if len(left) == len(known):
        raise Missing(f"no key named {name} in {keys_file}", hint=f"clickstream collect keys list --keys {keys_file}")
    keys.write(keys_file, left)

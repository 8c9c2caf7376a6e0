"""``clickstream local`` and ``clickstream up``."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from clickstream.consumers.needs import built_in, find
from clickstream.errors import UserMistake
from clickstream.infra.local import stack as embedded
from clickstream.infra.local import together
from clickstream.infra.local.run import alone, with_aws
from clickstream.settings import Settings, application_modules, from_env
from clickstream.web.origins import option as origin_option

_SHARDS = click.option("--shards", default=4, show_default=True, type=click.IntRange(1, 500), help="Of a new stream.")

_STATE = click.option(
    "--state", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Keep what is stored here over a restart."
)
_LIMITS = click.option(
    "--limits/--no-limits",
    default=True,
    show_default=True,
    help="As on AWS, a shard takes 1 MB/s and 1,000 records/s and gives 2 MB/s and five reads a second.",
)


def _say(line: str) -> None:
    with suppress(OSError):  # the terminal or the demo has gone: no reason for less than an orderly end
        click.echo(f"clickstream: {line}", err=True)


def _variables(stack: embedded.Stack, around: Settings, **own: str) -> dict[str, str]:
    if around.name != Settings().name:
        own["CLICKSTREAM_NAME"] = around.name
    return stack.environment | {name: value for name, value in own.items() if value}


def _exports(variables: Mapping[str, str], around: Settings) -> str:
    """One line to paste."""
    line = " ".join(["export", *(f"{name}={shlex.quote(value)}" for name, value in variables.items())])
    # a profile would be asked for credentials before the two among them
    return f"unset AWS_PROFILE AWS_DEFAULT_PROFILE; {line}" if around.profile else line


@click.group()
def local() -> None:
    """The embedded AWS alone, on loopback: every service that the platform uses, no account, no docker.

    \b
    Example:
      eval "$(clickstream local start)"
      aws kinesis list-streams
      clickstream local stop
    """


@local.command()
@_SHARDS
@click.option("--port", default=4566, show_default=True, help="Every service but Kinesis; 0 takes a free port.")
@click.option("--kinesis-port", default=4567, show_default=True, help="Kinesis; 0 takes a free port.")
@_STATE
@_LIMITS
def start(shards: int, port: int, kinesis_port: int, state: Path | None, limits: bool) -> None:
    """Start it, create the stream and its tables, and print the line that exports its variables.

    It runs until `clickstream local stop`. Starting it twice is harmless.

    \b
    Example:
      eval "$(clickstream local start --shards 2)"
    """
    from clickstream.aws import Clients
    from clickstream.infra.local import resources

    around = from_env()
    if (up := with_aws(around.local_dir)) is not None:  # a second AWS would be an empty one
        raise UserMistake(
            f"`clickstream up` runs here, with an AWS of its own: {up}",
            hint='eval "$(clickstream local status)" leads this terminal to it',
        )
    ran = embedded.status(around.local_dir) is not None
    stack = embedded.start(
        around.local_dir,
        region=around.region,
        ports=embedded.Ports(aws=port, kinesis=kinesis_port),
        state=None if state is None else state.absolute(),
        limits=limits,
        say=_say,
    )
    try:
        resources.create(Clients(stack.settings), stack.settings, shards=shards)
    except BaseException:
        if not ran:
            embedded.stop(around.local_dir)
        raise
    click.echo(_exports(_variables(stack, around), around))
    _say(f"the embedded AWS runs; stream {around.stream}; logs in {stack.directory / 'logs'}")


@local.command()
def stop() -> None:
    """End what `clickstream local start` started, and nothing else.

    \b
    Example:
      clickstream local stop
    """
    ended = embedded.stop(from_env().local_dir)
    _say(f"ended {', '.join(process.name for process in ended)}" if ended else "was not running")


@local.command()
@click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
def status(as_json: bool) -> None:
    """Say whether it runs, alone or as a part of `clickstream up`, and print its line; exit 1 when it does not.

    \b
    Example:
      eval "$(clickstream local status)"
      clickstream local status --json
    """
    around = from_env()
    up = with_aws(around.local_dir)
    found = up or embedded.status(around.local_dir)
    if found is None:
        if as_json:
            click.echo(json.dumps({"running": False}))
        else:
            _say("not running")
        raise click.exceptions.Exit(1)
    if as_json:
        told = {
            "running": True,
            "region": found.environment["AWS_REGION"],
            "environment": dict(found.environment),
            "processes": msgspec.to_builtins(found.processes),
        }
        click.echo(json.dumps(told))
    else:
        click.echo(_exports(_variables(found, around) if isinstance(found, embedded.Stack) else found.environment, around))
        _say("running" if up is None else f"running in `clickstream up`: {up}")


def _named() -> str:
    """The parts that start only when they are named."""
    return " and ".join(name for name, needs in built_in().items() if not needs.starts_with_up)


@click.command()
@click.option(
    "--only",
    default=lambda: ",".join(together.names(unasked=True)),
    show_default=f"all but {_named()}",
    metavar="NAME,…",
    help="Start these parts alone: aws, collect, serve, and applications by their names.",
)
@click.option(
    "--with",
    "more",
    multiple=True,
    metavar="NAME|MODULE",
    help="Start this application too: one of the platform's, or yours, also from this folder. May be repeated.",
)
@_SHARDS
@click.option("--port", default=8080, show_default=True, help="The dashboard's; 0 takes a free port.")
@click.option("--collect-port", default=8081, show_default=True, help="The collector's; 0 takes a free port.")
@click.option("--aws-port", default=4566, show_default=True, help="The embedded AWS's; 0 takes a free port.")
@click.option("--kinesis-port", default=4567, show_default=True, help="The embedded Kinesis's; 0 takes a free port.")
@_STATE
@_LIMITS
@origin_option
def up(
    only: str,
    more: tuple[str, ...],
    shards: int,
    port: int,
    collect_port: int,
    aws_port: int,
    kinesis_port: int,
    state: Path | None,
    limits: bool,
    origins: tuple[str, ...],
) -> None:
    """Everything at once on this machine, until Ctrl-C: the embedded AWS, every worker, the collector, the dashboard.

    Says "ready" on stderr once every part answers, and prints the line to paste into other terminals. A part that ends
    is started again, unless it ends again and again. Without the part "aws" the parts use the AWS of the environment.

    \b
    Example:
      clickstream up --only aws,analytics
      clickstream up --with archive --with my_shop.wishlist
      clickstream up --state shop-data --origin http://127.0.0.1:3000
    """
    asked = {name.strip() for name in only.split(",") if name.strip()}
    names = asked | {name if name in together.names() else find(name).name for name in more}
    if unknown := sorted(names - set(together.names())):
        raise click.BadParameter(f"{', '.join(unknown)} (known: {', '.join(together.names())})", param_hint="--only")
    for option, value, part in (("--state", state, "aws"), ("--origin", origins, "collect")):
        if value and part not in names:
            raise click.BadParameter(f"is for the part {part}, which --only leaves out", param_hint=option)
    around = from_env()
    wanted = together.Wanted(
        names=names,
        shards=shards,
        port=port,
        collect_port=collect_port,
        ports=embedded.Ports(aws=aws_port, kinesis=kinesis_port),
        state=None if state is None else state.absolute(),
        limits=limits,
        origins=origins,
    )
    with alone(around.local_dir.absolute(), _say) as run, together.stop_requested() as requested:
        parts = together.Parts(around, run, say=_say)
        try:
            stack = parts.start(wanted, requested)
            if stack is not None:
                own = {"CLICKSTREAM_APPLICATIONS": ",".join(application_modules())}
                events = "" if around.events is None else str(around.events.absolute())
                _say(f"in a second terminal: `source {sys.prefix}/bin/activate`, and the line that begins with export")
                variables = _variables(stack, around, CLICKSTREAM_EVENTS=events, **own)
                run.leads_with(variables)
                click.echo(_exports(variables, around))
            _say("ready")
            parts.watch(requested)
        finally:
            killed = parts.stop()
    if killed:
        raise click.ClickException(f"{', '.join(process.name for process in killed)} had to be killed")

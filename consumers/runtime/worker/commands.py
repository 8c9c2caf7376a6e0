"""``clickstream worker``."""

import logging
import re
from pathlib import Path
from typing import get_args

import click

from clickstream.consumers.needs import applications, find, how_many
from clickstream.consumers.runtime.worker.properties import (
    MOST_RECORDS,
    InitialPosition,
    Retrieval,
    WorkerPlan,
    derive,
    parse,
    render,
)
from clickstream.errors import UserMistake
from clickstream.needs import Needs
from clickstream.platform import SHARDS
from clickstream.settings import Settings, from_env
from clickstream.telemetry import logs

#: A worker id names files and stands in KCL's tables.
_WORKER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: The lock and the leases go by these: `-w` and CLICKSTREAM_NAME set them.
_NOT_TO_OVERRIDE = frozenset({"applicationName", "workerId", "streamName"})


@click.command()
@click.argument(
    "needs",
    metavar="APP",
    callback=lambda _context, _parameter, app: find(app),
    shell_complete=lambda _context, _parameter, typed: [name for name in sorted(applications()) if name.startswith(typed)],
)
@click.option(
    "-w",
    "--worker",
    default="1",
    show_default=True,
    metavar="ID",
    help="This worker's name among those of APP; no two may share one, on whatever machine.",
)
@click.option(
    "--retrieval",
    type=click.Choice(get_args(Retrieval)),
    default="polling",
    show_default=True,
    help="polling: all readers share a shard's 2 MB/s and five reads a second; fanout: APP has 2 MB/s of its own, at a price.",
)
@click.option(
    "--from",
    "initial_position",
    type=click.Choice(get_args(InitialPosition)),
    default="TRIM_HORIZON",
    show_default=True,
    help="Where APP begins when it runs for the first time.",
)
@click.option(
    "--max-records",
    type=click.IntRange(1, MOST_RECORDS),
    default=MOST_RECORDS,
    show_default=True,
    help="Most records of one read, under polling.",
)
@click.option(
    "--properties",
    "overrides",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="KCL properties of your own; they win over the derived ones.",
)
@click.option(
    "--forget",
    is_flag=True,
    help="Delete what APP knows of its stream (leases, positions, snapshots; no answers), and end: it begins anew then.",
)
@click.option("--print-properties", is_flag=True, help="Print what KCL would be told, and end.")
def worker(
    needs: Needs,
    worker: str,
    retrieval: Retrieval,
    initial_position: InitialPosition,
    max_records: int,
    overrides: Path | None,
    forget: bool,
    print_properties: bool,
) -> int:
    """One KCL worker of APP, an application's name or the path of a shop's own module, until SIGTERM.

    It shares the shards with the other workers of APP, and takes them over when one dies. SIGTERM and Ctrl-C drain it: every
    shard's state is saved and its position checkpointed. Exit code 1: it was already running, or it kept dying.

    \b
    Example:
      clickstream worker analytics
      clickstream worker analytics -w 2
      clickstream worker my_shop.wishlist
    """
    from clickstream.aws import Clients
    from clickstream.consumers.runtime.state import streams
    from clickstream.consumers.runtime.worker.daemon import folder_of, forked, run

    if _WORKER_ID.fullmatch(worker) is None:
        raise click.BadParameter("letters, digits, dots, dashes and underscores only", param_hint="-w")
    settings, app = from_env(), needs.name
    for webhook in needs.webhooks:
        settings.webhook(webhook)
    if forget:
        shards = streams.forget(app, Clients(settings), settings)
        click.echo(f"{app} has forgotten {shards} shards and begins anew", err=True)
        return 0
    application = settings.application(app)
    worker_id = f"{application}-{worker}"
    plan = WorkerPlan(
        application=application,
        worker_id=worker_id,
        shards=forked(app, folder_of(settings) / f"{worker_id}.shards"),
        retrieval=retrieval,
        initial_position=initial_position,
        max_records=max_records,
        pollers=settings.pollers or how_many(),
        tables=(SHARDS.of(settings),),
        overrides={} if overrides is None else _own_properties(overrides),
    )
    if print_properties:
        click.echo(render(derive(plan, settings)), nl=False)
        return 0
    logs.to_stderr(_level(settings), readable=False)  # as its JVM and its shard processes do: one format
    return run(plan, settings)


def _own_properties(file: Path) -> dict[str, str]:
    properties = parse(file.read_text(encoding="utf-8"))
    if fixed := sorted(_NOT_TO_OVERRIDE & properties.keys()):
        raise UserMistake(f"{file} sets {', '.join(fixed)}", hint="-w sets the worker's id, CLICKSTREAM_NAME the names")
    return properties


def _level(settings: Settings) -> str:
    """The launcher logs from INFO on: its few lines are the only sign of life while the shards are quiet."""
    levels = logging.getLevelNamesMapping()
    return min("INFO", settings.log_level.upper(), key=lambda name: levels[name])

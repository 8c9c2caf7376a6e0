"""``clickstream applications``: those that ran here, and which of them nobody is to run any more."""

import time

import click
import msgspec

from clickstream.errors import Missing, UserMistake
from clickstream.progress.shards_table import SILENT_MS, ShardsTable
from clickstream.settings import from_env


@click.group()
def applications() -> None:
    """The applications that ran here: how they are, and which nobody is to run any more.

    \b
    Example:
      clickstream applications list
      clickstream applications retire fraud-shadow-20261124T180000Z-0a1b2c3d
    """


@applications.command("list", epilog="Example: clickstream applications list")
@click.option("--json", "as_json", is_flag=True, help="For a machine to read: as /v1/progress has them.")
def list_command(as_json: bool) -> None:
    """Each with the state of its worst shard: silent is one whose worker is missing, retired one that is meant to be."""
    from clickstream.serving.api.progress import applications, shards
    from clickstream.serving.moments import iso

    now_ms, rows = time.time_ns() // 1_000_000, _table().read()
    found = applications(rows, shards(rows, {}, now_ms))
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    if not found:
        click.echo("no application has run here yet: `clickstream up` starts all", err=True)
    for each in found:
        lag = "" if each.lag_ms is None else f", {each.lag_ms // 1000:,} s behind"
        click.echo(f"{each.application}: {each.state}{lag}; last word {iso(each.updated_at // 1000 * 1000)}")


@applications.command(epilog="Example: clickstream applications retire wishlist")
@click.argument("application")
def retire(application: str) -> None:
    """Declare that nobody is to run APPLICATION: its silence is no alarm any more.

    Its answers, positions and leases stay. Once a worker starts again, it goes on where it ended, and the application is back.
    """
    table, now_ms = _table(), time.time_ns() // 1_000_000
    if not (rows := table.read(application)):
        raise Missing(f"{application!r} never ran here", hint="clickstream applications list")
    if owners := {row.owner for row in rows if row.is_read and now_ms - row.updated_at <= SILENT_MS}:
        hint = f"stop it, and ask again {SILENT_MS // 1000} s later"
        raise UserMistake(f"{application} is running: worker {min(owners)} has just reported", hint=hint)
    click.echo(f"{application} is retired on {table.retire(application, now_ms)} shards", err=True)


def _table() -> ShardsTable:
    # boto3 is slow to import: only who reaches AWS pays
    from clickstream.aws import Clients

    return ShardsTable(Clients(from_env()), from_env())

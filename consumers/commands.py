"""``clickstream applications``: which there are, which of them somebody runs, and those that nobody is to run any more."""

import time
from itertools import groupby

import click
import msgspec

from clickstream.errors import Missing, UserMistake
from clickstream.progress.shards_table import SILENT_MS, ShardProgress, ShardsTable
from clickstream.settings import from_env
from clickstream.terminal import lasting


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the shards table tells of one application. ``lag_ms``: of the shard that is behind most, if anybody is to read."""

    application: str
    state: str
    shards: int
    lag_ms: int | None = None
    updated_at: int | None = None
    """Its last word (ms)."""


@click.group()
def applications() -> None:
    """The applications: which are run here, and how far they are.

    \b
    Example:
      clickstream applications list
      clickstream applications retire fraud-shadow-20261124T180000Z-0a1b2c3d
    """


@applications.command("list", epilog="Example: clickstream applications list")
@click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
def list_command(as_json: bool) -> None:
    """All that ran here or are declared: running, silent (a worker is missing), retired, ended with its shards, never run."""
    from clickstream.consumers.needs import declared

    now_ms = _now_ms()
    found = [told(name, list(rows), now_ms) for name, rows in groupby(_table().read(), key=lambda row: row.application)]
    ran = {each.application for each in found}
    found += [Told(application=needs.name, state="never run", shards=0) for needs in declared() if needs.name not in ran]
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    width = max(map(len, ["APPLICATION", *(each.application for each in found)]))
    click.echo(f"{'APPLICATION':{width}}  {'STATE':9}  SHARDS  {'LAG':>8}  LAST WORD")
    for each in found:
        lag = "-" if each.lag_ms is None else lasting(each.lag_ms)
        word = "-" if each.updated_at is None else f"{lasting(max(0, now_ms - each.updated_at))} ago"
        click.echo(f"{each.application:{width}}  {each.state:9}  {each.shards:6}  {lag:>8}  {word}")


@applications.command(epilog="Example: clickstream applications retire wishlist")
@click.argument("application")
def retire(application: str) -> None:
    """Declare that nobody is to run APPLICATION: its silence is no alarm any more, and its pages say so.

    Its answers, positions and leases stay. A worker that starts again goes on where it ended, and the application is back.
    """
    table, now_ms = _table(), _now_ms()
    rows = table.read(application)
    if not rows:
        raise Missing(f"{application!r} never ran here", hint="clickstream applications list")
    if talking := [row for row in rows if row.is_read and now_ms - row.updated_at <= SILENT_MS]:
        hint = f"stop its workers first; one counts as stopped {SILENT_MS // 1000} s after its last word"
        raise UserMistake(f"{application} is running: {talking[0].owner} reads {talking[0].shard}", hint=hint)
    click.echo(f"{application} is retired on {table.retire(application, now_ms)} shards", err=True)


def told(application: str, rows: list[ShardProgress], now_ms: int) -> Told:
    """Pure. As silent as its most silent shard."""
    states = {
        "silent": any(row.silent_ms(now_ms) for row in rows),
        "running": any(row.is_read for row in rows),
        "retired": any(row.retired for row in rows),
    }
    lags = [lag_ms for row in rows if (lag_ms := row.lag_ms(now_ms)) is not None]
    return Told(
        application=application,
        state=next((state for state, applies in states.items() if applies), "ended"),
        shards=sum(not row.ended for row in rows),
        lag_ms=max(lags, default=None),
        updated_at=max(row.updated_at for row in rows) or None,
    )


def _table() -> ShardsTable:
    # boto3 is slow to import: only who reaches AWS pays
    from clickstream.aws import Clients

    settings = from_env()
    return ShardsTable(Clients(settings), settings)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

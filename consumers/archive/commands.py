"""``clickstream archive``: its files."""

import click
import msgspec

from clickstream.aws import Clients
from clickstream.consumers.archive import NAME
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.errors import Missing
from clickstream.progress.shards_table import ShardsTable
from clickstream.settings import Settings, from_env


@click.group()
def archive() -> None:
    """The archive's files: `clickstream worker archive` writes them, `clickstream query sql` reads them."""


@archive.command(epilog="Example: clickstream archive compact --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def compact(dry_run: bool, as_json: bool) -> None:
    """Make few large files of the many small ones of an hour; readers and the worker need not stop.

    \b
    With --json: {"applied": bool, "merges": [{"target": key, "sources": [key, ...]}], "deleted": [key, ...]}
    """
    try:
        from clickstream.consumers.archive.compaction import Compactor, Merging, plan
    except ImportError as error:
        raise Missing(f"{error.name} is not installed", hint="pip install 'clickstream[archive]'") from error

    settings = from_env()
    clients = Clients(settings)
    compactor = Compactor(clients.s3, ARCHIVE.of(settings))
    what = plan(compactor.sizes(), ended_shards(clients, settings))

    def tell(merging: Merging) -> None:
        click.echo(f"clickstream: {len(merging.sources)} files into {merging.target.key}", err=True)

    if not dry_run:
        compactor.carry_out(what, tell=tell)
    if as_json:
        merges = [{"target": each.target.key, "sources": [name.key for name in each.sources]} for each in what.merges]
        document = {"applied": not dry_run, "merges": merges, "deleted": [name.key for name in what.useless]}
        click.echo(msgspec.json.encode(document))
        return
    if dry_run:
        for each in what.merges:
            click.echo(f"would merge {len(each.sources)} files into {each.target.key}")
        for name in what.useless:
            click.echo(f"would delete {name.key}, which another file holds")
    if not what.merges and not what.useless:
        click.echo("clickstream: nothing to compact", err=True)


def ended_shards(clients: Clients, settings: Settings) -> set[str]:
    """Shards that the archive has read, and written, to their end."""
    return {each.shard for each in ShardsTable(clients, settings).read(NAME) if each.ended}

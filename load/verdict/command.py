"""``clickstream load verify``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from clickstream.errors import UserMistake

if TYPE_CHECKING:
    from clickstream.load.verdict.comparers.compared import Compared
    from clickstream.load.verdict.verification import Expectation, Subject

JSON = click.option("--json", "as_json", is_flag=True, help="The report as one JSON object on stdout.")
STALL = click.option(
    "--stall",
    "stall_s",
    default=120.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="Verifying: give up when no application has moved for this many seconds.",
)


@click.command()
@click.option("--ledger", type=click.Path(dir_okay=False, path_type=Path), help="What `load run` wrote; default: its default.")
@click.option("--only", metavar="NAME,…", help="Verify these alone; default: all, archive and orders if they ever ran.")
@STALL
@JSON
def verify(ledger: Path | None, only: str | None, stall_s: float, as_json: bool) -> None:
    """Wait until every application has all of the last run, then compare every answer with its ledger; exit 0 only if exact.

    Nobody else may have used the stream since. Events that were on it before are counted in, as long as it still holds them;
    what is not compared is counted with its reason, and an application of which nothing can be is a failure.

    \b
      analytics         every aggregate of every window
      fraud             one decision on each purchase, as what it was
      recommendations   an offer for each visitor, made of what that visitor did
      archive           each event in one row of one file
      orders            each order id once, as its first purchase
      dead-letters      each record that is no event, with its bytes, once per application

    Example:

      clickstream load verify --json
    """
    from clickstream.aws import Clients
    from clickstream.load.verdict import subjects
    from clickstream.load.verdict.ledger import read
    from clickstream.load.verdict.verification import LETTERS
    from clickstream.settings import from_env

    names = subjects.names()
    known = (*names, LETTERS)
    parts = [name.strip() for name in only.split(",")] if only is not None else []
    if unknown := [name for name in parts if name not in known]:
        raise click.BadParameter(f"no part {unknown[0]!r}: {', '.join(known)}", param_hint="--only")
    settings = from_env()
    sent = read(ledger or settings.local_dir / "ledger.json")
    if sent.stream != settings.stream:
        raise UserMistake(f"the ledger is of the stream {sent.stream}, not {settings.stream}", hint="see CLICKSTREAM_NAME")
    clients = Clients(settings)
    if only is None:
        parts = [*subjects.running(clients, settings), LETTERS]
    applications = [name for name in names if name in parts]
    letters = (lambda: subjects.queue(sent, clients, settings, applications)) if LETTERS in parts else None
    compared = subjects.subjects(sent, clients, settings, applications)
    report(subjects.expectation(sent), compared, letters, stall_s, as_json)


def report(
    expected: Expectation,
    subjects: Mapping[str, Subject],
    letters: Callable[[], Compared] | None,
    stall_s: float,
    as_json: bool,
) -> None:
    """Verify and print; exit 1 unless everything is equal."""
    from clickstream.load.driving.terminal import progress_bar
    from clickstream.load.verdict import verification
    from clickstream.load.verdict.report import text

    click.echo(f"waiting until {', '.join(subjects)} have everything", err=True)
    with progress_bar("processed", expected.sent) as move:
        found = verification.verify(
            expected, subjects, letters, stall_s=stall_s, on_progress=move, say=lambda line: click.echo(line, err=True)
        )
    click.echo(msgspec.json.encode(found).decode() if as_json else text(found))
    if not found.ok:
        raise click.exceptions.Exit(1)

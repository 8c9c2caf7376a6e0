"""``clickstream load verify``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from clickstream.errors import UserMistake

if TYPE_CHECKING:
    from clickstream.load.verdict.comparers.compared import Compared
    from clickstream.load.verdict.ledger import Ledger
    from clickstream.load.verdict.report import Report
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

    Events of others that were on the stream before are counted in, as long as it still holds them, and is not too full; what
    others sent since is left out with all that it may have touched. What is not compared is counted with its reason, and an
    application of which nothing can be is a failure.

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

    def case(sent: Ledger, count: Callable[[], int] | None = None) -> Case:
        letters = (lambda: subjects.queue(sent, clients, settings, applications)) if LETTERS in parts else None
        return Case(subjects.expectation(sent), subjects.subjects(sent, clients, settings, applications), letters, count)

    def among_others() -> Case | None:
        from clickstream.load.verdict import others

        def count() -> int:
            return others.count(others.since(clients, settings, sent.started_ms, sent.archived))

        return case(msgspec.structs.replace(sent, others=found), count) if (found := count()) else None

    report(case(sent), among_others, stall_s, as_json)


class Case(NamedTuple):
    """What must come, what is asked, and the comparison of the dead-letter queue, if it is looked at."""

    expected: Expectation
    subjects: Mapping[str, Subject]
    letters: Callable[[], Compared] | None = None
    others: Callable[[], int] | None = None
    """Counts the events that others have sent meanwhile."""


def report(case: Case, among_others: Callable[[], Case | None], stall_s: float, as_json: bool) -> None:
    """Verify and print; exit 1 unless everything is equal. ``among_others``: the case anew, if others sent events meanwhile."""
    from clickstream.load.driving.terminal import progress_bar
    from clickstream.load.verdict import verification
    from clickstream.load.verdict.report import text

    def verified(case: Case) -> Report:
        with progress_bar("processed", case.expected.sent) as move:
            return verification.verify(*case, stall_s=stall_s, on_progress=move, say=lambda line: click.echo(line, err=True))

    click.echo(f"waiting until {', '.join(case.subjects)} have everything", err=True)
    found = verified(case)
    if not found.ok and (anew := among_others()) is not None:
        click.echo("others sent events meanwhile: comparing again, without what these may have touched", err=True)
        found = verified(anew)
    click.echo(msgspec.json.encode(found).decode() if as_json else text(found))
    if not found.ok:
        raise click.exceptions.Exit(1)

"""``clickstream models shadow`` and ``clickstream models label``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from clickstream.consumers.fraud.needs import DECISIONS, OUTCOMES
from clickstream.consumers.fraud.outcomes import KEPT_S
from clickstream.errors import UserMistake
from clickstream.money import money
from clickstream.platform import MODELS
from clickstream.settings import from_env
from clickstream.terminal import print_table

if TYPE_CHECKING:
    from clickstream.consumers.fraud.shadow.comparison import Comparison

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("version")
@click.option("--from", "start", default="TRIM_HORIZON", show_default=True, help="Compare purchases since: 2h, or an ISO time.")
@click.option("--labels", type=_FILE, help="CSV: event_id, fraud (0 or 1); else what `models label` was told.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def shadow(version: str, start: str, labels: Path | None, as_json: bool) -> None:
    """Let VERSION decide the stream's purchases for comparison only, and report how it differs from the live model.

    It runs as a KCL application of its own from the oldest record on, until it has read what was there when it began. Decisions
    and alerts stay untouched. Run it again to go on; promote with `clickstream models promote fraud VERSION`.

    \b
    With --json: {"version", "from", "purchases", "undecided", "live_versions", "live": S, "candidate": S,
      "changed": {"approve→block": n, ...}}, S being
      approved, reviewed, blocked, alerts, alerted_money    money in euro cents
      precision, recall, money_missed                       of the purchases with labels; null without
      truth      {"labelled", "frauds", "caught", "alarms", "money", "money_caught"}

    Example: clickstream models shadow fraud 20261124T180000Z-0a1b2c3d --from 2h --labels labels.csv
    """
    from clickstream.aws import Clients
    from clickstream.consumers.fraud import tables
    from clickstream.consumers.fraud.shadow import comparison, running
    from clickstream.models.fraud import labels as label_files
    from clickstream.models.fraud import scoring
    from clickstream.models.fraud.purchases import PURCHASES
    from clickstream.models.registry.s3 import Registry
    from clickstream.telemetry import logs

    settings = from_env()
    clients = Clients(settings)
    now_ms = time.time_ns() // 1_000_000
    from_ms = since(start, now_ms)
    known = None if labels is None else label_files.parse(label_files.read(labels), labels)
    # before anything starts: a version that cannot serve cannot be compared either
    scoring.load(Registry(clients.s3, MODELS.of(settings)).load(scoring.MODEL, version), PURCHASES)
    logs.to_stderr(settings.log_level)
    click.echo(f"reading the stream with {version}", err=True)
    if not running.follow(version, clients, settings, until_ms=now_ms):
        raise click.Abort
    opinions = running.opinions(version, clients, settings)
    decided = tables.on(clients.dynamodb, DECISIONS.of(settings), opinions)
    if known is None:
        known = tables.kinds(clients.dynamodb, OUTCOMES.of(settings), decided.values())
    found = comparison.compare(opinions, decided, known, from_ms=from_ms)
    if as_json:
        click.echo(msgspec.json.encode({"version": version, "from": from_ms, **msgspec.to_builtins(found)}))
    else:
        _print(version, found)


def since(text: str, now_ms: int) -> int:
    """Milliseconds since the epoch. Raises click.BadParameter."""
    from clickstream.consumers.looking.tail import parse_since

    parsed = parse_since(text, now_ms)
    if parsed.timestamp is not None:
        return int(parsed.timestamp.timestamp() * 1000)
    return 0 if parsed.kind == "TRIM_HORIZON" else now_ms


def _print(version: str, found: Comparison) -> None:
    rows = []
    for name in ("approved", "reviewed", "blocked", "alerts", "alerted_money", "precision", "recall", "money_missed"):
        live, candidate = getattr(found.live, name), getattr(found.candidate, name)
        difference = None if live is None or candidate is None else candidate - live
        if "money" in name:
            figures = [money(cents, "EUR") for cents in (live, candidate, candidate - live)]
        else:
            figures = [_figure(live), _figure(candidate), "" if difference is None else _figure(difference, sign="+")]
        rows.append((name.replace("_", " "), *figures))
    rows += [(change, "", f"{count:,}", "") for change, count in found.changed.items()]
    print_table(("", "live", "candidate", "difference"), rows, right=("live", "candidate", "difference"))
    versions = ", ".join(f"{name} {count:,}" for name, count in found.live_versions.items()) or "nobody"
    click.echo(f"{found.purchases:,} purchases, decided by {versions}; {found.undecided:,} more are not decided yet", err=True)
    click.echo(
        f"{found.live.truth.labelled:,} labels, {found.live.truth.frauds:,} frauds; to let it serve: "
        f"clickstream models promote fraud {version}",
        err=True,
    )


def _figure(value: float | None, sign: str = "") -> str:
    if value is None:
        return "unknown"
    return f"{value:{sign},}" if isinstance(value, int) else f"{value:{sign}.1%}"


@click.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--list", "listing", is_flag=True, help="Print what is known, the page's labels too, as such a CSV.")
@click.option("--from", "start", default="7d", show_default=True, help="With --list: of purchases decided since then.")
@click.option("--dry-run", is_flag=True, help="Say what would be noted.")
def label(file: Path | None, listing: bool, start: str, dry_run: bool) -> None:
    """Note which decided purchases were frauds, from a CSV with the columns event_id, fraud (0 or 1) and perhaps kind.

    The dashboard and `clickstream models shadow` then tell precision, recall and money; the page Fraud shows FILE beside the
    decision. A newer label replaces an older one;
    the label of an id that was used again is that of its first purchase.

    \b
    Example:
      clickstream models label fraud labels.csv
      clickstream models label fraud --list --from 30d > known.csv
    """
    from clickstream.aws import Clients
    from clickstream.consumers.fraud import tables
    from clickstream.consumers.fraud.tables import OutcomesTable
    from clickstream.consumers.fraud.views import Decisions
    from clickstream.models.fraud import labels as label_files

    settings, now_ms = from_env(), time.time_ns() // 1_000_000
    if listing:
        # a stretch is read hour by hour, and labels are kept for so long
        start_ms = max(since(start, now_ms), now_ms - 1000 * KEPT_S)
        click.echo(label_files.written(Decisions(Clients(settings), settings).known(start_ms, now_ms)), nl=False)
        return
    if file is None:
        raise click.UsageError("name a FILE with labels, or --list those that are known")
    kinds = label_files.parse(label_files.read(file), file)
    if not kinds:
        raise UserMistake(f"{file} holds no labels")
    dynamodb = Clients(settings).dynamodb
    decided = tables.decisions(dynamodb, DECISIONS.of(settings), kinds)
    if not dry_run:
        table = OUTCOMES.of(settings)
        # a file is given again as it grows: what is known already is no news of today
        known = tables.kinds(dynamodb, table, decided.values())
        labelled = [
            (decision, kinds[event_id]) for event_id, decision in decided.items() if known.get(event_id) != kinds[event_id]
        ]
        OutcomesTable(dynamodb, table).label(labelled, now_ms, by=f"file {file.name}")
    if not decided:
        hint = (
            "a history that was not on the stream is known by its file: `clickstream models train fraud EVENTS --labels FILE`"
        )
        raise UserMistake(f"none of the {len(kinds):,} labels of {file} is of a purchase that was decided here", hint)
    frauds = sum(kinds[event_id] != label_files.GENUINE for event_id in decided)
    would, others = "would note" if dry_run else "noted", len(kinds) - len(decided)
    click.echo(
        f"{would} {len(decided):,} labels, {frauds:,} frauds; {others:,} are of no decided purchase",
        err=True,
    )

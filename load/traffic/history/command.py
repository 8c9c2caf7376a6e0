"""``clickstream load history``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click


@click.command()
@click.argument("events", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("labels", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--people", default=3_000, show_default=True, type=click.IntRange(1, 100_000), help="Visitors.")
@click.option("--days", default=45, show_default=True, type=click.IntRange(1, 400), help="Length in days.")
@click.option("--seed", default=1, show_default=True, help="The same seed is the same history.")
@click.option(
    "--from", "start", default="2026-09-01", show_default=True, type=click.DateTime(["%Y-%m-%d"]), help="First day, UTC."
)
def history(events: Path, labels: Path, people: int, days: int, seed: int, start: datetime) -> None:
    """Weeks of a shop with fraud in it, as training data: EVENTS in NDJSON, LABELS in CSV (event_id, fraud, kind).

    Nothing is sent. Genuine people have habits, and break them; frauds are account takeovers, card testing, new accounts that
    bust out, and insiders, who are hardly to be seen.

    \b
    Example:
      clickstream load history events.ndjson labels.csv
      clickstream models train fraud events.ndjson --labels labels.csv --promote
    """
    from clickstream.events import encode
    from clickstream.load.traffic.history import adversaries

    start_ms = int(start.replace(tzinfo=UTC).timestamp() * 1000)
    made = adversaries.history(seed, people=people, days=days, start_ms=start_ms)
    with events.open("wb") as lines:
        lines.writelines(encode(event) + b"\n" for event in made.events)
    with labels.open("w") as rows:
        rows.writelines(adversaries.label_lines(made))
    click.echo(f"{len(made.events):,} events, {len(made.frauds):,} fraudulent purchases", err=True)

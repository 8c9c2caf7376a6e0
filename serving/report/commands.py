"""``clickstream report``: a stretch of time as a page to send around, or as a table."""

import time
from pathlib import Path

import click
import msgspec

from clickstream.errors import UserMistake


@click.command()
@click.option("--from", "start", default="24h ago", show_default=True, help='ISO time, "now", or an age: "7d ago".')
@click.option("--to", "end", default="now", show_default=True, help="The same; windows that begin before it.")
@click.option(
    "--granularity",
    type=click.Choice(["minute", "hour", "day"]),
    help="Width of the windows (UTC). [default: minutes up to 3 hours, hours up to 4 days, then days]",
)
@click.option(
    "--out",
    "files",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default=(Path("clickstream-report.html"),),
    show_default="clickstream-report.html",
    help="FILE.html: a page that needs nothing else. FILE.csv: a row per window, money in minor units. May be given twice.",
)
@click.option("--top", "places", type=click.IntRange(0, 200), default=10, show_default=True, help="Places per ranking.")
@click.option("--json", "as_json", is_flag=True, help="The sums as one JSON object on stdout, money in minor units.")
def report(start: str, end: str, granularity: str | None, files: tuple[Path, ...], places: int, as_json: bool) -> None:
    """What happened from --from to --to: events, revenue, visitors, the funnel, fraud decisions, rankings.

    Read from the aggregates, the decisions and, where one is kept, the archive, whose counts stand beside the others. The page
    has the times of this machine's zone (TZ sets another).

    \b
    Example:
      clickstream report --from "2h ago"
      clickstream report --from 2026-11-01 --to 2026-12-01 --out november.html --out november.csv
    """
    from clickstream.serving.moments import iso
    from clickstream.terminal import parse_moment

    now_ms = int(time.time() * 1000)
    # whole seconds, to be read by people
    start_ms, end_ms = (moment - moment % 1_000 for moment in (parse_moment(start, now_ms), parse_moment(end, now_ms)))
    if end_ms <= start_ms:
        raise click.BadParameter("it is not after --from", param_hint="--to")
    for file in files:
        if file.suffix not in (".html", ".csv"):
            raise click.BadParameter(f"{file}: FILE.html or FILE.csv", param_hint="--out")
        if not file.absolute().parent.is_dir():
            raise UserMistake(f"there is no folder {file.parent}", hint="make it, or choose another with --out")
    # pandas and boto3 take most of a second, which a wrong option need not wait for
    from clickstream.aws import Clients
    from clickstream.serving.report import frames, page
    from clickstream.settings import from_env

    settings = from_env()
    width = granularity or _fitting(end_ms - start_ms)
    made = frames.read(Clients(settings), settings, width, start_ms, end_ms, places=places)
    for file in files:
        if file.suffix == ".csv":
            made.table.to_csv(file, date_format="%Y-%m-%dT%H:%M:%SZ")
        else:
            file.write_text(page.html(made), encoding="utf-8")
        click.echo(f"{file}: {len(made.windows):,} windows of one {width}, {iso(start_ms)} to {iso(end_ms)}", err=True)
    if as_json:
        span = {"from": start_ms, "to": end_ms, "granularity": width, "complete_to": made.complete_to}
        click.echo(msgspec.json.encode(span | made.totals).decode())


def _fitting(span_ms: int) -> str:
    hours = span_ms / 3_600_000
    return "minute" if hours <= 3 else "hour" if hours <= 96 else "day"

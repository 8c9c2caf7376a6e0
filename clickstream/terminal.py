"""What goes between people and us: times as they type them, and what a terminal may see.

Text from outside moves no cursor, rings nothing, colours nothing; no cell of a table is cut.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from clickstream.envelope import EARLIEST_MS, LATEST_MS
from clickstream.errors import UserMistake

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGO = re.compile(r"(\d+)\s*([smhd])(?:\s+ago)?")


def parse_moment(text: str, now_ms: int) -> int:
    """``2026-11-24T10:00Z``, ``2026-11-24``, ``now``, ``2h ago``, ``30m``, or milliseconds: as milliseconds since the epoch.

    A time without a zone is UTC. Raises UserMistake, also for what lies outside of the years 1970 to 2100.
    """
    text = text.strip()
    try:
        if text == "now":
            return now_ms
        if text.isdecimal():  # a smaller number: seconds, or a date without its hyphens
            at_ms = int(text) if int(text) >= EARLIEST_MS else -1
        elif ago := _AGO.fullmatch(text):
            at_ms = now_ms - int(ago[1]) * _UNITS_MS[ago[2]]
        else:
            moment = datetime.fromisoformat(text)
            at_ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except ValueError:
        at_ms = -1
    if not 0 <= at_ms <= LATEST_MS:
        numbers = "milliseconds since the epoch, from the year 2000 on"
        seconds = "seconds? milliseconds have three digits more; " if text.isdecimal() and len(text) in (9, 10) else ""
        hint = f"{seconds}1970 to 2100, as ISO 8601 (2026-11-24T10:00Z), now, an age such as 2h ago, or {numbers}"
        raise UserMistake(f"not a time: {text[:64]!r}", hint=hint)
    return at_ms


def length(seconds: float) -> str:
    """``90 s``, ``5 min``, ``3 hours``, ``4 days``: in the unit in which it is at least two."""
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.0f} {name}"
    return f"{seconds:.0f} s"


def shown(text: str) -> str:
    """One line, of which nothing moves the cursor, rings, colours or turns the line round.

    What is not printable is written as JSON writes it, so JSON stays the same JSON.
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def json_line(value: object, enc_hook: Callable[[Any], Any] | None = None) -> bytes:
    """UTF-8 whatever the terminal's encoding is, without an end of line; JSON itself lets DEL and U+0080 to U+009F through."""
    return shown(msgspec.json.encode(value, enc_hook=enc_hook).decode()).encode()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """On stdout. On a terminal that is too narrow the table is turned: a line for each cell. ``right``: columns of numbers."""
    # rich costs 0.1 s to import, which --json does not pay
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    console, rows = Console(), list(rows)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        # what is told is data, not rich's markup
        table.add_column(Text(name), no_wrap=True, justify="right" if name in right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    wanted = Measurement.get(console, console.options.update(max_width=1_000_000), table).maximum
    if wanted > console.width and console.is_terminal:
        widest = max(map(len, columns))
        for number, row in enumerate(rows, 1):
            console.print(Text(f"{number:,}", style="bold"))
            for name, cell in zip(columns, row, strict=True):
                click.echo(f"{name:<{widest}}  {cell.replace(chr(10), ', ')}")
        return
    console.width = max(wanted, 1)
    console.print(table)

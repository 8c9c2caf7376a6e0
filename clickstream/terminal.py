"""What a terminal may see. Text from outside moves no cursor, rings nothing, colours nothing; no cell of a table is cut."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
import msgspec


def shown(text: str) -> str:
    """One line; what is not printable is written as JSON writes it, so JSON stays the same JSON."""
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

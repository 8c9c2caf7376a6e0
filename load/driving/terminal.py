"""Progress on stderr, when that is a terminal; nothing otherwise, so that logs and pipes stay clean."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: A bar is redrawn this often; asking more often costs the sender time.
_REDRAW_S = 0.1

Report = Callable[[int], None]


@contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Report]:
    """A bar that the yielded function moves to an absolute value; ``total`` None shows activity without an end."""
    if not sys.stderr.isatty():
        yield lambda _value: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        drawn_at = 0.0

        def move(value: int) -> None:
            nonlocal drawn_at
            now = time.monotonic()
            if now - drawn_at >= _REDRAW_S or value == total:
                drawn_at = now
                progress.update(task, completed=value)

        yield move

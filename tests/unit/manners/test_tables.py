"""Tables on a terminal: whole, or turned; never cut."""

from __future__ import annotations

import io
import re
import sys

import pytest

from clickstream.cli import main
from clickstream.terminal import print_table

COLUMNS = ("window", "events", "revenue", "top products")
ROWS = [
    ("11-24 13:34", "6,298", "5,322.79 EUR\n981.31 USD", "p00667 675\n[red]x 3"),
    ("11-24 13:35 …", "1,000,000", "150,000.00 EUR", "\\u001b[31m 9\nぬいぐるみ 8"),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(monkeypatch: pytest.MonkeyPatch, out: io.StringIO, width: int) -> list[str]:
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    print_table(COLUMNS, ROWS, right=("events", "revenue"))
    return re.sub(r"\x1b\[\d*m", "", out.getvalue()).splitlines()


@pytest.mark.parametrize("width", [20, 40, 56, 57, 80, 200])
@pytest.mark.parametrize("out", [Terminal, io.StringIO])
def test_no_cell_is_cut(monkeypatch: pytest.MonkeyPatch, out: type[io.StringIO], width: int) -> None:
    lines = printed(monkeypatch, out(), width)
    for cell in (part for row in (COLUMNS, *ROWS) for each in row for part in each.split("\n")):
        assert any(cell in line for line in lines), cell


def test_what_is_wider_than_the_terminal_is_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, Terminal(), 40)[:5] == [
        "1",
        "window        11-24 13:34",
        "events        6,298",
        "revenue       5,322.79 EUR, 981.31 USD",
        "top products  p00667 675, [red]x 3",
    ]
    assert printed(monkeypatch, Terminal(), 80)[0].split() == ["window", "events", "revenue", "top", "products"]


def test_a_pipe_gets_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(printed(monkeypatch, io.StringIO(), 40)) == 5


def test_a_table_in_ascii_has_a_mark_for_each_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(SystemExit):
        main(["--version"])  # as every command begins
    print_table(("view → cart",), [("1,215 → 202",)])
    out.seek(0)
    assert out.read().splitlines()[1:] == ["view ? cart", "1,215 ? 202"]

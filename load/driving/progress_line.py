"""One line of live progress on stderr while a run goes on, when that is a terminal; nothing otherwise."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

import msgspec


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """How far a run is: records sent, acknowledged, and the latency so far."""

    sent: int
    put: int
    p99_us: int


class ProgressLine:
    """A context in which :meth:`show` rewrites the line."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._is_shown = sys.stderr.isatty()
        self._started = self._looked = time.monotonic()
        self._before = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def show(self, now: Progress) -> None:
        if not self._is_shown:
            return
        at = time.monotonic()
        rate = (now.sent - self._before) / max(1e-3, at - self._looked)
        self._looked, self._before = at, now.sent
        sys.stderr.write(f"\r\x1b[K{line(now, at - self._started, rate, self._expected)}")
        sys.stderr.flush()


def line(now: Progress, elapsed_s: float, rate: float, expected: int) -> str:
    """The text of the line."""
    share = f"{now.sent / expected:.0%}" if expected else "-"
    return (
        f"{elapsed_s:6.1f} s  {share:>4}  {now.sent:,} sent ({rate:,.0f}/s)  {now.put:,} acknowledged  "
        f"p99 {now.p99_us / 1000:,.0f} ms"
    )

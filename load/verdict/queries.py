"""The platform's answers, asked for as a person would: ``clickstream query … --json`` as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

import msgspec

from clickstream.errors import RetryLater
from clickstream.load.verdict.comparers.aggregates import GRANULARITIES, RANKINGS, TOP, Totals, Window

#: Windows per question: fewer than the most that one answer may hold.
WINDOWS_PER_QUESTION = 1000
_TIMEOUT_S = 60


def ask(windows: Iterable[Window]) -> dict[Window, Totals]:
    """What the platform answers for these windows and those between them. Raises RetryLater when it does not answer."""
    wanted = list(windows)
    answers: dict[Window, Totals] = {}
    for granularity, width in GRANULARITIES.items():
        starts = sorted(window.start_ms for window in wanted if window.granularity == granularity)
        for first, last in questions(starts, width):
            answers |= _asked(granularity, first, last + width)
    return answers


def questions(starts: list[int], width: int) -> Iterator[tuple[int, int]]:
    """(first, last) window of each question: few questions, none over the limit, however sparse the windows are."""
    first = None
    for start, following in zip_longest(starts, starts[1:]):
        first = start if first is None else first
        if following is None or (following - first) // width >= WINDOWS_PER_QUESTION:
            yield first, start
            first = None


def _asked(granularity: str, from_ms: int, to_ms: int) -> dict[Window, Totals]:
    span = ("--from", str(from_ms), "--to", str(to_ms))
    answer = _query("aggregates", "--granularity", granularity, *span, "--top", str(TOP))
    return {Window(granularity, window["start"]): totals_of(window) for window in answer["windows"]}


def decision(event_id: str) -> dict[str, Any]:
    """``clickstream query decision``. Raises RetryLater, also when there is none."""
    return _query("decision", event_id)


def recommendations(user_id: str) -> dict[str, Any]:
    """``clickstream query recommendations``; ``personal`` says whether anything is known of the visitor. Raises RetryLater."""
    return _query("recommendations", user_id)


def _query(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "clickstream.cli", "query", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise RetryLater(f"`clickstream query {arguments[0]}` does not answer: {reason}")
    answer: dict[str, Any] = msgspec.json.decode(done.stdout)
    return answer


def totals_of(window: dict[str, Any]) -> Totals:
    """One window of an answer."""
    funnel = window["funnel"]
    return Totals(
        events=window["counts"],
        orders=window["orders"],
        revenue=window["revenue"],
        uniques=window["uniques"]["value"],
        funnel=(funnel["view"], funnel["cart"], funnel["purchase"]),
        **{name: [(key, count) for key, count in window[name]] for name in RANKINGS},
    )

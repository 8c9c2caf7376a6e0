"""The outcome of a verification, for machines and as text. Pure."""

from __future__ import annotations

import msgspec

from clickstream.load.verdict.progress import HIGHEST_MS


class ApplicationReport(msgspec.Struct, frozen=True, kw_only=True):
    """One application's part of a :class:`Report`, under the same names."""

    processed: int
    lost: int
    duplicated: int
    wrong: int
    late: int
    dead_lettered: int
    compared: int
    p50_ms: int
    p99_ms: int
    complete_to: str | None
    left_out: dict[str, int]
    """Why something was not compared → how many."""
    figures: dict[str, float]
    """Told and not judged."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome; ``ok`` only if nothing was lost, duplicated or wrong. Counts are sums over the applications, except
    ``processed`` and ``dead_lettered``, which are the lowest of them, and latencies and ``complete_to`` the worst."""

    ok: bool
    sent: int
    put: int
    repeated: int
    """Events that had come before, and rightly count once."""
    others: int = 0
    """Events that others sent meanwhile."""
    processed: int
    lost: int
    duplicated: int
    dead_lettered: int
    p50_ms: int
    """Put to visible effect."""
    p99_ms: int
    complete_to: str | None
    windows: int
    """Windows of aggregates compared."""
    wrong: int
    late: int
    """Answers that came later than promised; reported, not judged."""
    problems: list[str]
    """What is not as it must be, one sentence each; the first differences among them."""
    applications: dict[str, ApplicationReport]
    letters: dict[str, float]
    """Figures of the dead-letter queue, if it was looked at."""


def _latency(ms: int) -> str:
    return f"{ms:,} ms" if ms < HIGHEST_MS else "an hour or more"  # what takes longer counts as that


def text(report: Report) -> str:
    """The report as a person reads it."""
    again = f"; {report.repeated:,} of these events had come before, and count once" if report.repeated else ""
    others = f"; others sent {report.others:,} events meanwhile" if report.others else ""
    lines = [f"sent {report.sent:,}, put {report.put:,}{again}{others}"]
    for name, part in report.applications.items():
        lines += [
            f"{name}: processed {part.processed:,}, dead-lettered {part.dead_lettered:,}, lost {part.lost:,}, "
            f"duplicated {part.duplicated:,}, wrong {part.wrong:,}, late {part.late:,}; {part.compared:,} answers compared",
            f"  put to visible effect: p50 {_latency(part.p50_ms)}, p99 {_latency(part.p99_ms)}; "
            f"complete to {part.complete_to}",
        ]
        lines += [f"  not compared: {count:,} {why}" for why, count in part.left_out.items()]
        if part.figures:
            lines.append("  " + ", ".join(f"{figure} {value:,g}" for figure, value in part.figures.items()))
    if report.letters:
        lines.append("dead letters: " + ", ".join(f"{figure} {value:,g}" for figure, value in report.letters.items()))
    lines += [f"wrong: {problem}" for problem in report.problems]
    return "\n".join([*lines, "equal" if report.ok else "NOT equal"])

"""Times as answers show them. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Milliseconds: since the epoch, or of a monotonic clock."""


def iso(at_ms: int) -> str:
    """``2026-11-24T10:00:00Z``; milliseconds only where there are any."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{at_ms % 1000:03d}Z" if at_ms % 1000 else "Z")

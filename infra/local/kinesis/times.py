"""Times as AWS's messages show them."""

from __future__ import annotations

from datetime import UTC, datetime


def http_date(ms: int) -> str:
    """``Wed Nov 25 10:00:00 UTC 2026``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")

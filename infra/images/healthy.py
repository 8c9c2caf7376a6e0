"""``python healthy.py URL`` or ``python healthy.py DIRECTORY``: an image's health check; exit code 0 means healthy.

A URL must answer 200. A directory is a worker's (``.local/workers``): one of its locks must be held, which is so as long as the
JVM or its supervisor lives. Standard library alone: it runs every ten seconds.
"""

from __future__ import annotations

import fcntl
import sys
import urllib.error
import urllib.request
from pathlib import Path


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


if __name__ == "__main__":
    what = sys.argv[1]
    healthy = answers(what) if what.startswith("http") else any(map(is_locked, Path(what).glob("*.lock")))
    sys.exit(not healthy)

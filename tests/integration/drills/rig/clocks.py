"""The machine's clock as a worker sees it, to be stepped while it runs: a preloaded library, and a file that says by how much.

The monotonic clocks stay as they are, as they do when an operator or NTP steps a real clock. (Debian's libfaketime cannot leave
them alone: without its hold on them Python's ``sleep`` fails.) The library is compiled here; without a C compiler no clock is
stepped.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")


def library(folder: Path) -> Path | None:
    """Compiled into the folder; None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    target = folder / "clock.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(target), str(_SOURCE), "-ldl"], check=True)
    return target


class Clock:
    """The wall clock of one worker, its JVM and its shard processes."""

    def __init__(self, compiled: Path, file: Path) -> None:
        self._compiled = compiled
        self._file = file
        self._file.write_bytes(struct.pack("=q", 0))

    @property
    def variables(self) -> dict[str, str]:
        """For the worker's environment."""
        return {"LD_PRELOAD": str(self._compiled), "CLOCK_OFFSET_FILE": str(self._file)}

    def step(self, offset_s: int) -> None:
        """From the true time; in force at once."""
        with self._file.open("r+b") as file:  # the same file: it is mapped
            file.write(struct.pack("=q", offset_s))

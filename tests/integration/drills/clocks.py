"""The machine's clock as a worker sees it, to be stepped while it runs: libfaketime, and a file that says by how much.

The monotonic clock stays as it is, as it does when an operator or NTP steps a real one. Without the library (Debian: faketime)
there is no clock to step.
"""

from __future__ import annotations

from pathlib import Path

_LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")


class Clock:
    """The wall clock of one worker, its JVM and its shard processes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._library = next((library for library in _LIBRARIES if Path(library).exists()), None)
        self.step(0)

    @property
    def can_be_stepped(self) -> bool:
        return self._library is not None

    @property
    def variables(self) -> dict[str, str]:
        """For the worker's environment."""
        if self._library is None:
            return {}
        return {
            "LD_PRELOAD": self._library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def step(self, offset_s: int) -> None:
        """From the true time; in force within a second."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{offset_s:+d}\n")
        written.replace(self._file)

"""The peer of ``recommend-serenade``: Serenade's crate, built by cargo and kept in ``build/``, as a process that answers."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clickstream.load.benchmarks.harness.measure import Unavailable
from clickstream.models.recommender.clicks import Clicks
from clickstream.settings import child_environment

_SOURCE = Path(__file__).with_name("serenade")
_BUILD = Path(__file__).parents[3] / "build" / "serenade"
#: Some 300 crates on two busy cores.
BUILD_S = 1_800.0


class Serenade:
    """Serenade over these clicks, asked for these sessions. Raises Unavailable when it cannot be built here."""

    def __init__(self, clicks: Clicks, asked: Sequence[Sequence[int]], *, neighbours: int, count: int, build_s: float) -> None:
        program = _built(build_s)
        with tempfile.TemporaryDirectory() as folder:
            trained, sessions = Path(folder, "clicks.tsv"), Path(folder, "sessions.txt")
            _write(clicks, trained)
            sessions.write_text("".join(" ".join(map(str, session)) + "\n" for session in asked))
            self._process = subprocess.Popen(
                [program, trained, sessions, str(neighbours), str(count)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            while (line := self._told()) != "ready":  # it tells how its index grows
                if not line:
                    raise Unavailable("Serenade ended while it made its index")

    def spent(self) -> list[float]:
        """The CPU time of each answer (ms)."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return [int(ns) / 1e6 for ns in self._told().split()]

    def close(self) -> None:
        self._process.communicate()

    def _told(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _built(within_s: float) -> Path:
    cargo = shutil.which("cargo")
    if cargo is None:
        raise Unavailable("Serenade: there is no cargo to build it with")
    command = [cargo, "build", "--quiet", "--release", "--locked", "--manifest-path", str(_SOURCE / "Cargo.toml")]
    try:
        done = subprocess.run(
            command,
            env=child_environment({"CARGO_TARGET_DIR": str(_BUILD)}),
            capture_output=True,
            text=True,
            check=False,
            timeout=within_s,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"Serenade: cargo did not end within {within_s:.0f} s") from error
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if line.startswith("error")), "nothing")
        raise Unavailable(f"Serenade: cargo could not build it, and says: {said}")
    return _BUILD / "release" / "serenade-peer"


def _write(clicks: Clicks, path: Path) -> None:
    """As Serenade reads clicks: a session, an item and its time a line."""
    session = np.repeat(np.arange(clicks.sessions), np.diff(clicks.starts))
    table = np.column_stack([session, clicks.items, clicks.ended_s[session].astype(np.int64)])
    np.savetxt(path, table, fmt="%d", delimiter="\t", header="SessionId\tItemId\tTime", comments="")

"""A fresh virtual environment with nothing of this repository but its wheel.

What the wheel depends on is not installed again, which would need the network: the environment sees this one's packages through
a path file. Their own path files, the checkout's among them, are not read from there.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).parents[3]


class Environment:
    """In ``folder``. uv keeps the build backend from when it installed this project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.run([find_uv_bin(), "venv", "--offline", "--quiet", str(folder)], cwd=ROOT)
        (self.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    @property
    def packages(self) -> Path:
        (found,) = self._folder.glob("lib/python*/site-packages")
        return found

    def install(self, project: Path, out: Path) -> None:
        """Build the project's wheel, and install that."""
        self.run([find_uv_bin(), "build", "--wheel", "--offline", "--quiet", "--out-dir", str(out), str(project)], cwd=ROOT)
        (wheel,) = out.glob("*.whl")
        python = ["--python", str(self.program("python"))]
        self.run([find_uv_bin(), "pip", "install", "--offline", "--quiet", "--no-deps", *python, str(wheel)], cwd=ROOT)

    def program(self, name: str) -> Path:
        return self._folder / "bin" / name

    def run(self, command: Sequence[str | Path], cwd: Path, **more: str) -> str:
        """What it says on stdout; nothing in its environment leads back to the checkout."""
        environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}} | more
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

"""Hatch's hook: compiles the recommender's scoring when clickstream is installed or its wheel is built.

Without a C compiler (``cc``, or what CC names) clickstream is installed as well; it then
recommends in numpy, at a sixth of the speed.
"""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FOLDER = Path("models", "recommender")


class CompiledScoring(BuildHookInterface):  # type: ignore[misc]  # hatchling is there while something is built
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not compiled(Path(self.root) / _FOLDER):
            self.app.display_warning("no C compiler: recommendations will be made in numpy, at a sixth of the speed")
            return
        if version != "editable":
            build_data["artifacts"].append("*/libscoring.so")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def compiled(folder: Path) -> bool:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return False
    library = folder / "libscoring.so"
    made = library.with_suffix(f".{os.getpid()}")
    # no fused multiply-add: the same sums on every machine
    command = [compiler, "-std=c11", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-o", made, folder / "scoring.c"]
    if subprocess.run(command, check=False).returncode:
        return False
    made.replace(library)  # whole or not at all: a process may have the one before
    return True

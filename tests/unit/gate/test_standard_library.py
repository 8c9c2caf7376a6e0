"""The gate runs in ministack's own environment, where nothing of ours is installed."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

_LOCAL = Path(__file__).parents[3] / "infra" / "local"
_FILES = [_LOCAL / "account.py", *sorted((_LOCAL / "gate").glob("*.py")), *sorted((_LOCAL / "limits").glob("*.py"))]


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.relative_to(_LOCAL).as_posix())
def test_the_gate_and_the_limits_need_only_the_standard_library(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        for name in names:
            ours = name.startswith(
                ("clickstream.infra.local.gate", "clickstream.infra.local.limits", "clickstream.infra.local.account")
            )
            assert ours or name.split(".")[0] in {*sys.stdlib_module_names, "ministack"}, name

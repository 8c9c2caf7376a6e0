"""Accessibility by axe-core, from npm: fetched for the tests, never shipped."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

VERSION = "4.14.1"
#: What the law asks for in most places, and axe's own good habits.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_FOLDER = Path(__file__).parents[2] / ".local" / "axe-core"


def checker() -> Callable[[Page], list[str]]:
    """Skips without npm, but not in CI."""
    source = _installed().read_text()

    def check(page: Page) -> list[str]:
        # through the debugger, not as a script of the page: its policy would rightly refuse that
        page.evaluate(source)
        found: dict[str, Any] = page.evaluate("(tags) => axe.run({ runOnly: { type: 'tag', values: tags } })", TAGS)
        assert found["passes"], "axe has looked at nothing"
        return [
            f"{fault['id']}: {fault['help']}: {node['html'][:160]} {node['failureSummary']}"
            for fault in found["violations"]
            for node in fault["nodes"]
        ]

    return check


def _installed() -> Path:
    script = _FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    if script.exists():
        return script
    if shutil.which("npm") is None:
        assert not os.environ.get("CI"), "CI installs npm; these checks must run there"
        pytest.skip("axe-core is not installed, and there is no npm to install it with")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(_FOLDER), f"axe-core@{VERSION}"]
    subprocess.run(command, capture_output=True, check=True)
    return script

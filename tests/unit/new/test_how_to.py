"""The code of docs/how-to/test-your-application.md, run over the example that it speaks of."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[3]


def test_the_code_of_the_page_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "test-your-application.md").read_text()
    blocks = [dedent(block) for block in re.findall(r"(?<=\n\n)(?:    .*\n|\n(?=    ))+", page)]
    code = "\n\n".join(block for block in blocks if block.startswith("from "))
    shutil.copytree(ROOT / "examples" / "wishlist", tmp_path / "wishlist")
    (tmp_path / "wishlist" / "test_page.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_page.py"]
    said = subprocess.run(command, cwd=tmp_path / "wishlist", capture_output=True, text=True, check=False)
    assert (said.returncode, "2 passed" in said.stdout) == (0, True), said.stdout

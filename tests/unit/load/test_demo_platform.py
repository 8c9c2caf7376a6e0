"""What the demonstration starts beside itself ends with it, however it ends."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from clickstream.infra.local.processes import start_time, wait_until

_DEMO = """
import os, sys
from types import SimpleNamespace
from clickstream.load.demo import platform
load = "import os, time; print(os.getpid(), file=open(os.environ['TOLD'], 'w')); time.sleep(600)"
platform._CLI = (sys.executable, "-c", load)
platform.run(SimpleNamespace(check=lambda: None), [], dict(os.environ))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the tether is Linux's")
def test_a_load_does_not_outlive_a_demonstration_that_was_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", _DEMO], env={"TOLD": str(told)}) as demo:
        deadline = time.monotonic() + 30
        wait_until(lambda: told.exists() and bool(told.read_text()), "the load", deadline, check=lambda: None)
        demo.kill()
    pid = int(told.read_text())
    wait_until(lambda: start_time(pid) is None, "the load's end", time.monotonic() + 20, check=lambda: None)

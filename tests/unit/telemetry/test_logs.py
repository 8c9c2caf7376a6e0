"""Logs are lines of JSON on stderr, also those of libraries."""

from __future__ import annotations

import json
import subprocess
import sys

_PROGRAM = """
import logging, structlog
from clickstream.telemetry import logs
logs.to_stderr("info")
logs.to_stderr("info")  # set up again, as a forked shard does: nothing comes twice
log = structlog.get_logger().bind(application="fraud", shard="shard-1")
log.info("lease taken", position="7.0")
log.debug("not told")
logging.getLogger("botocore").warning("of a %s", "library")
logging.getLogger("botocore").info("not told")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("a fault")
"""


def test_every_line_is_json_on_stderr_with_shard_and_position() -> None:
    said = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert said.stdout == ""
    first, second, third = (json.loads(line) for line in said.stderr.splitlines())
    assert (first["event"], first["level"], first["application"], first["shard"], first["position"]) == (
        "lease taken",
        "info",
        "fraud",
        "shard-1",
        "7.0",
    )
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["logger"], second["level"]) == ("of a library", "botocore", "warning")
    assert third["exception"][0]["exc_type"] == "ZeroDivisionError"

"""All five applications and a sixth, in the current folder and with no edit elsewhere: run by `up --with`, explained.

Each shard keeps its limits, as on the first day on AWS: five reads a second for all six together.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.consumers.needs import built_in
from clickstream.infra.local import stack
from clickstream.settings import child_environment, from_env
from tests import sixth
from tests.integration.platform.test_up import exported, said_until_ready, up

pytestmark = [pytest.mark.integration, pytest.mark.java]

_PATIENCE_S = 60.0


def _events() -> str:
    def line(number: int, kind: str, **more: object) -> str:
        at = int(time.time() * 1000)
        event = {"type": kind, "event_id": f"e-{number}", "user_id": f"u-{number}", "session_id": "s", "occurred_at": at}
        return json.dumps(event | more)

    carts = [line(number, "add_to_cart", product_id=f"p-{number}") for number in range(3)]
    return "\n".join([*carts, line(3, "page_view")])


def test_a_sixth_application_runs_beside_the_others(tmp_path: Path) -> None:
    sixth.write(tmp_path)
    everything = [name for part in (*built_in(), sixth.NAME) for name in ("--with", part)]
    with up(tmp_path, *everything, "--only", "aws,serve", "--shards", "1") as program:
        said = said_until_ready(program)
        assert said.count("started ") == len(built_in()) + 2, said
        (url,) = re.findall(r"the dashboard is at (http://127\.0\.0\.1:\d+)", said)
        assert program.stdout is not None
        variables = exported(program.stdout.readline())
        assert variables["CLICKSTREAM_APPLICATIONS"] == sixth.NAME
        settings = msgspec.structs.replace(from_env(variables), credentials=stack.CREDENTIALS)

        def run(*arguments: str, stdin: str = "") -> str:
            command = [sys.executable, "-m", "clickstream.cli", *arguments]
            env = child_environment(variables)
            done = subprocess.run(command, cwd=tmp_path, env=env, input=stdin, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout

        run("produce", stdin=_events())
        end = time.monotonic() + _PATIENCE_S
        while True:
            lives = json.loads(run("explain", "e-1", "--json"))["applications"]
            if {life["state"] for life in lives} == {"processed"} or time.monotonic() > end:
                break
        assert {life["application"]: life["state"] for life in lives} == dict.fromkeys((*built_in(), sixth.NAME), "processed")
        items = Clients(settings).dynamodb.scan(TableName=f"{settings.name}-basket-lines", ConsistentRead=True)["Items"]
        assert {item["product_id"]["S"] for item in items} == {"p-0", "p-1", "p-2"}

        with urllib.request.urlopen(f"{url}/v1/live/pipeline", timeout=10) as feed:
            data = next(line for line in feed if line.startswith(b"data:"))
        picture = json.loads(data.removeprefix(b"data:"))
        assert sixth.NAME in [application["application"] for application in picture["applications"]]

        (processing,) = (each for each in lives if each["application"] == sixth.NAME)
        assert processing["effect"] == {
            "what": "in a basket",
            "at": None,
            "model_version": None,
            "facts": {"product": "p-1"},
        }
        with urllib.request.urlopen(f"{variables['AWS_ENDPOINT_URL_KINESIS']}/_clickstream/calls", timeout=10) as answer:
            calls = json.load(answer)
    refused = calls.get("GetRecords ProvisionedThroughputExceededException", 0)
    assert refused < calls["GetRecords"] / 20, calls  # who starts may meet the others

"""``python -m tests.infra.recording``: runs every program once on the local AWS and writes down what it called.

Each program signs with an access key of its own name, so one pair of servers can tell them apart. What the person at the
keyboard does (make resources, split a shard) is signed ``setup`` and left out. Some minutes.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import msgspec

from clickstream.infra.local import stack
from clickstream.infra.local.processes import Children
from tests.infra.recording.operations import Call, Request, calls, generalised, signer
from tests.infra.recording.proxy import HOST, RecordingProxy
from tests.infra.recording.scenario import NAME, SETUP, Scenario

OUTPUT = Path(__file__).parents[1] / "recorded" / "calls.json"


def main() -> int:
    """``--only autoscaler`` or ``serving`` records that one again and keeps the others as they were."""
    only = sys.argv[2] if sys.argv[1:2] == ["--only"] else None
    found: dict[str, set[Call]] = defaultdict(set)

    def seen(request: Request) -> None:
        program, service = signer(request)
        if program != SETUP:
            found[program] |= {generalised(call, NAME) for call in calls(service, request, NAME)}

    with (
        tempfile.TemporaryDirectory() as folder,
        stack.local_aws(Path(folder) / "aws") as aws,
        Children() as servers,
        RecordingProxy(aws.ports.aws, seen) as proxy,
    ):
        (port,) = stack.claim((0, "--kinesis-port"))
        log = Path(folder) / "kinesis.log"
        command = [sys.executable, "-m", "tests.infra.recording.proxy", "--port", str(port)]
        servers.start("recorded kinesis", command, environment=None, log=log)
        scenario = Scenario(aws.region, proxy.url, f"http://{HOST}:{port}", Path(folder))
        scenario.wait(lambda: stack.answers(port, "/health"), "our Kinesis", time.monotonic() + 60)
        try:
            if only is None:
                scenario.run()
            else:
                {"autoscaler": scenario.autoscale, "serving": scenario.serve}[only]()
        finally:
            for line in log.read_text().splitlines():
                if "\t" in line:
                    authorization, target = line.split("\t")
                    seen(
                        Request(
                            method="POST",
                            target="/",
                            headers={"authorization": authorization, "x-amz-target": target},
                            body=b"{}",
                        )
                    )
    OUTPUT.parent.mkdir(exist_ok=True)
    text = {program: [msgspec.to_builtins(call) for call in sorted(found[program])] for program in found}
    if only is not None:
        text = json.loads(OUTPUT.read_text()) | text
    OUTPUT.write_text(json.dumps(text, indent=1, sort_keys=True) + "\n")
    sys.stderr.write(f"{sum(map(len, found.values()))} permissions of {len(found)} programs in {OUTPUT}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

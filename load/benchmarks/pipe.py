"""``pipe``: one shard's records through KCL's own MultiLang classes into a child process, decoded there."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

import amazon_kclpy

from clickstream import events
from load.benchmarks.measure import Benchmark, Reading
from load.benchmarks.sample import sample_events

_HERE = Path(str(resources.files("load.benchmarks")))
_JARS = Path(amazon_kclpy.__file__).parent / "jars"
_LOGBACK = _HERE / "quiet-logback.xml"
#: KCL's default for one read, which a shard that catches up gets.
_PER_BATCH = 10_000
#: Java's compiler is done with the daemon's side by then.
_WARM_UP = 10
_COUNTED = 20


def benchmark() -> Benchmark:
    folder = Path(tempfile.mkdtemp(prefix="clickstream-pipe-"))
    file = folder / "events.tsv"
    with file.open("wb") as out:
        for event in sample_events(20_000):
            out.write(event.user_id.encode() + b"\t" + events.encode(event) + b"\n")
    # compiled once, so that a round starts with the measured work and not with the compiler
    subprocess.run(["javac", "-cp", f"{_JARS}/*", "-d", folder, _HERE / "PipeHarness.java"], check=True)

    def run(child: str) -> Reading:
        spent = folder / f"{child}.cpu"
        flags = ["-XX:+UseSerialGC", "-Xmx2g", "-Dfile.encoding=UTF-8", f"-Dlogback.configurationFile={_LOGBACK}"]
        sizes = [str(_PER_BATCH), str(_WARM_UP), str(_COUNTED)]
        command = [
            *("java", *flags, "-cp", f"{folder}:{_JARS}/*", "PipeHarness"),
            *(f"{sys.executable} -m load.benchmarks.children {child} {spent}", str(file), *sizes),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        microseconds = float(spent.read_text()) * 1e6 / (_PER_BATCH * (_WARM_UP + _COUNTED))
        return Reading(float(done.stdout.split()[-1]), {"child's CPU µs per event": microseconds})

    return Benchmark(
        id="pipe",
        what="one shard through KCL 3.1.3's MultiLang classes into the child, 256-byte events, decoded",
        unit="events/s",
        aim="≥ 3x",
        least=3,
        peer_name="amazon_kclpy 3.1.3's loop with json.loads",
        fairness="The same Java side, batches and events. Ours acknowledges a batch before it decodes it, as our shard loop "
        "does, so Java's encoding and our decoding overlap where there are two cores; the last batch is waited for. Ours "
        "validates as well, the peer only parses.",
        clock="wall",
        ours=lambda: run("ours"),
        peer=lambda: run("stock"),
    )

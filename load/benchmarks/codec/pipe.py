"""``pipe``: one shard's records through KCL's own MultiLang classes into a child process, decoded there."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import amazon_kclpy

from clickstream import events
from clickstream.events import AnyEvent
from load.benchmarks.harness.measure import Benchmark, Reading
from load.benchmarks.harness.sample import sample_events

_HERE = Path(__file__).parent
_JARS = Path(amazon_kclpy.__file__).parent / "jars"
_LOGBACK = _HERE.parent / "rig" / "quiet-logback.xml"
#: KCL's default for one read, which a shard that catches up gets.
PER_BATCH = 10_000
#: Java's compiler is done with the daemon's side by then.
WARM_UP = 10
COUNTED = 20


class Pipe:
    """KCL's MultiLang classes without Kinesis before them: a sample goes through in batches, again and again."""

    def __init__(self, sample: Sequence[AnyEvent]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="clickstream-pipe-"))
        self._file = self.folder / "events.tsv"
        with self._file.open("wb") as out:
            for event in sample:
                out.write(event.user_id.encode() + b"\t" + events.encode(event) + b"\n")
        # compiled once, so that a round starts with the measured work and not with the compiler
        subprocess.run(["javac", "-cp", f"{_JARS}/*", "-d", self.folder, _HERE / "PipeHarness.java"], check=True)

    def run(self, child: str, environment: Mapping[str, str] | None = None) -> float:
        """Events per second of the wall clock through a child of this command."""
        flags = ["-XX:+UseSerialGC", "-Xmx2g", "-Dfile.encoding=UTF-8", f"-Dlogback.configurationFile={_LOGBACK}"]
        sizes = [str(PER_BATCH), str(WARM_UP), str(COUNTED)]
        command = ["java", *flags, "-cp", f"{self.folder}:{_JARS}/*", "PipeHarness", child, str(self._file), *sizes]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
        return float(done.stdout.split()[-1])


def benchmark() -> Benchmark:
    pipe = Pipe(sample_events(20_000))

    def run(child: str) -> Reading:
        spent = pipe.folder / f"{child}.cpu"
        per_second = pipe.run(f"{sys.executable} -m load.benchmarks.codec.pipe_children {child} {spent}")
        microseconds = float(spent.read_text()) * 1e6 / (PER_BATCH * (WARM_UP + COUNTED))
        return Reading(per_second, {"child's CPU µs per event": microseconds})

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

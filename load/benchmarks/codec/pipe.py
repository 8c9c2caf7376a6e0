"""``pipe`` and ``pipe-single``: one shard's records through KCL's own MultiLang classes into a child process, decoded there."""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from clickstream.consumers.runtime.worker.java import class_path
from clickstream.events import AnyEvent
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading
from clickstream.load.benchmarks.harness.sample import PER_RECORD, record_of, shop_events
from clickstream.load.benchmarks.rig import jars

_HERE = Path(__file__).parent
#: Events of a batch: as many as KCL's default for one read brings of single ones to a shard that catches up.
PER_BATCH = 10_000
#: Batches. Java's compiler is done with the daemon's side by then.
WARM_UP = 10
COUNTED = 20
#: Blocks are so fast that as many batches of them would be over in no time.
_LONGER = 5
_EVENTS = 20_000


class Passed(msgspec.Struct, frozen=True):
    """What went through the pipe, and how."""

    per_second: float
    """Events of the wall clock."""
    java_us: float
    """Java's CPU time per event."""


class Pipe:
    """KCL's MultiLang classes without Kinesis before them: a sample goes through in batches, again and again."""

    def __init__(
        self,
        sample: Sequence[AnyEvent],
        *,
        per_record: int,
        batches: tuple[int, int] = (WARM_UP, COUNTED),
        stock: bool = False,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="clickstream-pipe-"))
        self._per_record = per_record
        self._batches = batches
        self._file = self.folder / "records"
        with self._file.open("wb") as out:
            for start in range(0, len(sample), per_record):
                key, data = sample[start].user_id.encode(), record_of(sample[start : start + per_record])
                out.write(struct.pack(">H", len(key)) + key + struct.pack(">i", len(data)) + data)
        # compiled once, so that a round starts with the measured work and not with the compiler
        classes = jars.compiled([_HERE / "PipeHarness.java"], jars.KCL_JARS, self.folder / "classes")
        # a worker of ours runs with our replacements for some of KCL's classes before them
        self._class_path = classes if stock else ":".join(map(str, [self.folder / "classes", *class_path()]))

    @property
    def events(self) -> int:
        """Of a run, those that warm up included."""
        return PER_BATCH * sum(self._batches)

    def run(self, child: str, environment: Mapping[str, str] | None = None) -> Passed:
        """The sample through a child of this command."""
        flags = ["-XX:+UseSerialGC", "-Xmx2g", "-Dfile.encoding=UTF-8", f"-Dlogback.configurationFile={jars.QUIET_LOGBACK}"]
        sizes = [str(PER_BATCH // self._per_record), *map(str, self._batches)]
        command = ["java", *flags, "-cp", self._class_path, "PipeHarness", child, str(self._file), *sizes]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
        records_per_second, java_s = map(float, done.stdout.split()[-2:])
        counted = PER_BATCH * self._batches[1]
        return Passed(self._per_record * records_per_second, 1e6 * java_s / counted)


def benchmark(warm_up: int = WARM_UP, counted: int = COUNTED) -> Benchmark:
    return _of(
        id="pipe",
        batches=(warm_up, counted),
        per_record=PER_RECORD,
        longer=_LONGER,
        aim="≥ 8x",
        least=8,
        note=f"Ours gets {PER_RECORD} events a record, as the publisher writes them by default (zstd), the peer an event a "
        f"record, as its users put them; {_LONGER} times as many batches for ours, whose time would else be too short",
    )


def single(warm_up: int = WARM_UP, counted: int = COUNTED) -> Benchmark:
    return _of(
        id="pipe-single",
        batches=(warm_up, counted),
        per_record=1,
        longer=1,
        aim="≥ 3x",
        least=3,
        note="An event a record on both sides",
    )


def _of(*, id: str, batches: tuple[int, int], per_record: int, longer: int, aim: str, least: float, note: str) -> Benchmark:
    sample = shop_events(_EVENTS)
    ours = Pipe(sample, per_record=per_record, batches=(longer * batches[0], longer * batches[1]))
    stock = Pipe(sample, per_record=1, batches=batches, stock=True)

    def run(pipe: Pipe, child: str) -> Reading:
        spent = pipe.folder / f"{child}.cpu"
        passed = pipe.run(f"{sys.executable} -m clickstream.load.benchmarks.codec.pipe_children {child} {spent}")
        microseconds = float(spent.read_text()) * 1e6 / pipe.events
        return Reading(passed.per_second, {"Java's CPU µs per event": passed.java_us, "child's CPU µs per event": microseconds})

    return Benchmark(
        id=id,
        what="one shard through KCL 3.1.3's MultiLang classes into the child, 345-byte events, decoded",
        unit="events/s",
        aim=aim,
        least=least,
        peer_name="amazon_kclpy 3.1.3's loop with json.loads, an event a record",
        fairness=f"The same events, {PER_BATCH:,} a batch, and the same Java side but for the classes of KCL that a worker of "
        f"ours replaces. {note}. Ours acknowledges a batch before it decodes it, as our shard loop does, so Java's encoding "
        "and our decoding overlap where there are two cores; the last batch is waited for. Ours validates as well, the peer "
        "only parses. KCL's de-aggregation is in neither.",
        clock="wall",
        ours=lambda: run(ours, "ours"),
        peer=lambda: run(stock, "stock"),
        rounds=3,
    )

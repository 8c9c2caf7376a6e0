"""``publish``: events confirmed per second of CPU time, through a split of a shard, and what is then in the stream."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from clickstream import events
from clickstream.infra.local.processes import tethered
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, Unavailable, per_second
from clickstream.load.benchmarks.harness.sample import shop_events
from clickstream.load.benchmarks.publishing.read_back import account, read_all
from clickstream.load.benchmarks.rig import jars
from clickstream.load.benchmarks.rig.kinesis import make_certificate, observer, stream
from clickstream.settings import Settings, environment

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_HERE = Path(__file__).parent
_SHARDS = 4
_WARM_UP = 80_000
_COUNTED = 160_000
_END_S = 60.0
_HEAP = ("-Xmx512m", "-XX:+UseSerialGC")


class _Told(msgspec.Struct, frozen=True):
    """A producer's last line."""

    confirmed: int
    seconds: Mapping[str, float]
    megabytes: float


def benchmark(warm_up: int = _WARM_UP, counted: int = _COUNTED) -> Benchmark:
    race = Race(warm_up, counted)
    return Benchmark(
        id="publish",
        what=f"events of 345 bytes confirmed by Kinesis over TLS, {_SHARDS} shards, one of them split in the middle",
        unit="events/CPU s",
        aim="≥ 3x, nothing lost, doubled or out of order",
        least=3,
        within={f"ours {what}": (0, 0) for what in ("lost", "doubled", "out of order")},
        peer_name=f"KPL {jars.KPL_VERSION}, its Java and its native process",
        fairness=f"The same file of {warm_up + counted:,} events, read by each producer itself, of which {counted:,} count; "
        "a fresh embedded Kinesis for each run, over TLS because the KPL knows nothing else, no write limits on either side. "
        "Both put many events in a record, linger 100 ms and hold about 9 MB of events under way. The KPL compresses nothing "
        "and promises no order; ours keeps each user's order and puts foreign events of a split shard again. CPU time is of "
        "all the process from the first counted event to the last confirmation, without Kinesis's own and what a JVM costs at "
        "its start. Afterwards the stream is read back: ours as our reader does, which passes over a foreign event alone (it "
        "was put again), the KPL's as KCL does, which drops an aggregate with a foreign member whole.",
        clock="CPU",
        ours=race.ours,
        peer=race.peer,
        rounds=3,
        # each side starts a process of its own and warms it up
        warm_up=False,
        close=race.close,
    )


class Race:
    """The events, and what both producers need."""

    def __init__(self, warm_up: int, counted: int) -> None:
        self._warm_up, self._counted = warm_up, counted
        # fetched where there is time for it; what cannot be had is the peer's result
        with suppress(Unavailable):
            jars.kpl_jars()
        self._scratch = tempfile.TemporaryDirectory(prefix="clickstream-publish-")
        self._folder = Path(self._scratch.name)
        self._certificate = make_certificate(self._folder)
        self._sent = [(event.user_id, events.encode(event)) for event in shop_events(warm_up + counted)]
        self._file = self._folder / "events.tsv"
        self._file.write_bytes(b"".join(user.encode() + b"\t" + data + b"\n" for user, data in self._sent))

    def close(self) -> None:
        self._scratch.cleanup()

    def ours(self) -> Reading:
        counts = [str(self._file), str(self._warm_up), str(self._counted)]
        return self._run(
            lambda _: [sys.executable, "-m", "clickstream.load.benchmarks.publishing.put", *counts], whole_records=False
        )

    def peer(self) -> Reading:
        classes = jars.compiled([_HERE / "KplProducer.java"], jars.kpl_jars(), self._folder / "classes")

        def command(settings: Settings) -> Sequence[str]:
            server = urlsplit(settings.endpoint("kinesis") or "")
            where = [str(server.hostname), str(server.port), settings.stream]
            counts = [str(self._warm_up), str(self._counted)]
            return ["java", *_HEAP, "-cp", classes, "KplProducer", str(self._file), *where, *counts, str(self._folder)]

        return self._run(command, whole_records=True)

    def _run(self, command: Callable[[Settings], Sequence[str]], *, whole_records: bool) -> Reading:
        with stream(shards=_SHARDS, certificate=self._certificate) as settings:
            with observer(settings, self._certificate) as kinesis:
                told = self._watch(command(settings), settings, kinesis)
                records = list(read_all(kinesis, settings.stream))
            found = account(self._sent, records, whole_records=whole_records)
        spent = sum(told.seconds.values())
        parts = {f"{part} CPU µs per event": 1e6 * seconds / told.confirmed for part, seconds in told.seconds.items()}
        return Reading(
            per_second(told.confirmed, spent),
            {
                "CPU µs per event": 1e6 * spent / told.confirmed,
                **(parts if len(parts) > 1 else {}),
                "unconfirmed": self._counted - told.confirmed,
                "lost": found.lost,
                "doubled": found.doubled,
                "out of order": found.disordered,
                "foreign": found.foreign,
                "bytes per event": sum(len(record.data) for record in records) / len(self._sent),
                "MB": told.megabytes,
            },
        )

    def _watch(self, command: Sequence[str], settings: Settings, kinesis: KinesisClient) -> _Told:
        """The producer's run, with a split of the first shard in its middle."""
        environ = environment(settings) | {"AWS_CA_BUNDLE": str(self._certificate)}
        last = b""
        with (self._folder / "producer.log").open("ab") as log:
            producer = subprocess.Popen(tethered(command), env=environ, stdout=subprocess.PIPE, stderr=log)
            assert producer.stdout is not None
            for line in producer.stdout:
                if line.strip() == b"HALF":
                    _split(kinesis, settings.stream)
                last = line
            producer.wait(_END_S)
        return msgspec.json.decode(last, type=_Told)


def _split(kinesis: KinesisClient, stream: str) -> None:
    shard = kinesis.list_shards(StreamName=stream)["Shards"][0]
    span = shard["HashKeyRange"]
    middle = (int(span["StartingHashKey"]) + int(span["EndingHashKey"]) + 1) // 2
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle))

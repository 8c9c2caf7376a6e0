"""Our aggregates in the hands of KCL's own AggregatorUtil (Java): it must deliver every event, and where it would not, the
publisher must know."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from hashlib import md5
from importlib import resources
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from clickstream.producers.publisher.limits import Limits
from clickstream.producers.publisher.packing import Records
from clickstream.producers.publisher.puts import Parcel, Put
from clickstream.producers.publisher.rules import Publisher
from clickstream.records.aggregation import decode
from clickstream.records.routing import HashRange, Shard
from tests import kpl

pytestmark = [pytest.mark.integration, pytest.mark.java]

SOURCE = Path(__file__).with_name("Deaggregate.java")
SPACE = 2**128
UserRecord = tuple[int, str, str | None, bytes]


def unavailable(reason: str) -> None:
    """Locally a missing compiler is a reason to skip; in CI it would hide the one proof that KCL reads us."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def deaggregate(records: list[tuple[int, int, bytes]], *before: Path) -> list[list[UserRecord]]:
    """What KCL delivers of each (range start, range end, data): (sub-sequence number, key, hash key, data).

    ``before``: what stands before KCL's jars on the class path, as on the daemon's.
    """
    java = shutil.which("java")
    if java is None:
        unavailable("no java on the path")
    modules = subprocess.run([str(java), "--list-modules"], capture_output=True, text=True, check=True, timeout=60).stdout
    if "jdk.compiler" not in modules:
        unavailable("java has no compiler: a JDK is needed, not a JRE")
    jars = resources.files("amazon_kclpy") / "jars"
    lines = "".join(f"{start} {end} {base64.b64encode(data).decode()}\n" for start, end, data in records)
    answer = subprocess.run(
        [str(java), "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", ":".join([*map(str, before), f"{jars}/*"]), str(SOURCE)],
        input=lines,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    delivered = [line.split(" ") if line else [] for line in answer.stdout.splitlines() if not line.startswith("SLF4J")]
    assert len(delivered) == len(records), answer.stdout[:2000]
    return [[parsed(each) for each in line] for line in delivered]


def parsed(text: str) -> UserRecord:
    number, key, hash_key, data = text.split(":")
    return int(number), base64.b64decode(key).decode(), None if hash_key == "-" else hash_key, base64.b64decode(data)


def shards(count: int) -> list[Shard]:
    bounds = [SPACE * index // count for index in range(count + 1)]
    return [
        Shard(shard_id=f"shardId-{index:012d}", hash_range=HashRange.of(start, end - 1))
        for index, (start, end) in enumerate(pairwise(bounds))
    ]


def limits_of(shard: Shard) -> tuple[int, int]:
    return int.from_bytes(shard.hash_range.start, "big"), int.from_bytes(shard.hash_range.end, "big")


def published(events: list[tuple[str, bytes]], shard_list: list[Shard], records: Records = "kpl") -> list[Parcel]:
    """Every record that a publisher puts for these events."""
    limits = Limits(records=records, shard_bytes_per_second=1e12, shard_records_per_second=1e12)
    publisher = Publisher(shard_list, limits)
    for key, data in events:
        assert publisher.add(key, data, 0.0)
    publisher.flush(0.0)
    return [parcel for put in publisher.due(0.0) if isinstance(put, Put) for parcel in put.parcels]


def test_kcl_delivers_everything_that_we_publish() -> None:
    random = Random(5)
    events = [
        (
            f"{random.choice(['user', 'Ünï', '用户'])}-{random.randrange(300)}",
            b"%d " % n + random.randbytes(random.randrange(600)),
        )
        for n in range(400)
    ]
    shard_list = shards(5)
    parcels = published(events, shard_list)
    by_id = {shard.shard_id: shard for shard in shard_list}
    assert {parcel.shard_id for parcel in parcels} == by_id.keys()
    got = deaggregate([(*limits_of(by_id[parcel.shard_id]), parcel.data) for parcel in parcels])
    assert sorted((key, data) for records in got for _, key, _, data in records) == sorted(events)
    for records in got:
        assert [number for number, *_ in records] == list(range(len(records)))


def test_kcl_and_we_read_the_explicit_hash_keys_of_others_alike() -> None:
    members = [
        (f"key-{number % 7}", str(number * SPACE // 200) if number % 3 else None, b"%d" % number) for number in range(200)
    ]
    encoded = kpl.aggregated(members)
    assert decode(encoded) == members
    assert deaggregate([(0, SPACE - 1, encoded)]) == [[(number, *each) for number, each in enumerate(members)]]


@pytest.mark.parametrize("records", ["zstd", "gzip", "ndjson"])
def test_kcl_delivers_a_block_as_it_is_whoever_is_foreign_in_it(records: Records) -> None:
    """So the shard loop's own check is the only one, and the publisher need not put what is at home again."""
    (parcel,) = published([(f"user-{n}", b"%d" % n) for n in range(100)], shards(1), records)
    hashes = sorted(int.from_bytes(md5(f"user-{n}".encode()).digest(), "big") for n in range(100))
    for (each,) in deaggregate(
        [(0, SPACE - 1, parcel.data), (0, hashes[50], parcel.data), (hashes[-1], hashes[-1], parcel.data)]
    ):
        assert each[-1] == parcel.data


def test_kcl_drops_an_aggregate_with_one_foreign_event_whole() -> None:
    """Why the publisher puts all members again: this is the loss that it prevents, as KCL commits it."""
    shard_list = shards(1)
    (parcel,) = published([(f"user-{n}", b"%d" % n) for n in range(50)], shard_list)
    hashes = sorted(int.from_bytes(md5(f"user-{n}".encode()).digest(), "big") for n in range(50))
    whole, all_but_one, broken = deaggregate(
        [
            (0, SPACE - 1, parcel.data),
            (0, hashes[-1] - 1, parcel.data),
            (0, SPACE - 1, parcel.data[:-1] + bytes([parcel.data[-1] ^ 1])),
        ]
    )
    assert len(whole) == 50
    assert all_but_one == []
    # a bad MD5 reaches us raw: our decoding must see the magic and dead-letter it
    assert [data for *_, data in broken] == [parcel.data[:-1] + bytes([parcel.data[-1] ^ 1])]

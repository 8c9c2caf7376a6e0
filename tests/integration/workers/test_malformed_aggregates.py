"""Aggregates that no KPL would write: what our de-aggregation in the JVM makes of them, and what that does to a shard."""

from __future__ import annotations

import base64
import shutil
import subprocess
import zipfile
from hashlib import md5
from pathlib import Path
from random import Random

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.consumers.runtime.worker import java
from clickstream.errors import Undecodable
from clickstream.events import Login, encode
from clickstream.infra.local import resources
from clickstream.platform import DEAD_LETTERS
from clickstream.records.aggregation import MAGIC, decode
from clickstream.settings import Settings
from tests import kpl
from tests.integration.resharding.platform import Platform
from tests.integration.workers.test_kcl_reads_ours import SPACE, UserRecord, deaggregate, unavailable

pytestmark = [pytest.mark.integration, pytest.mark.java]

SOURCE = java.REPLACEMENTS.with_name("AggregatorUtil.java")
HOUR_MS = 1_763_996_400_000


def sealed(message: bytes) -> bytes:
    return MAGIC + message + md5(message).digest()


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def member(key: bytes | None, hash_key: bytes | None, data: bytes | None) -> bytes:
    """A record of an aggregate; ``key`` and ``hash_key`` are indexes as varints."""
    return field(
        3,
        (b"" if key is None else b"\x08" + key)
        + (b"" if hash_key is None else b"\x10" + hash_key)
        + (b"" if data is None else field(3, data)),
    )


KEY = field(1, b"ann")
GOOD = member(b"\x00", None, b"{}")
#: One of each kind; the first two are those of the field's bug reports, and in all a good member comes first.
KINDS = {
    "partition key index outside": KEY + GOOD + member(b"\x05", None, b"{}"),
    "hash key that is no number": KEY + field(2, b"abc") + GOOD + member(b"\x00", b"\x00", b"{}"),
    "hash key index outside": KEY + GOOD + member(b"\x00", b"\x03", b"{}"),
    "index of 64 bits": KEY + GOOD + member(b"\x80\x80\x80\x80\x10", None, b"{}"),
    "negative index": KEY + GOOD + member(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None, b"{}"),
    "empty hash key": KEY + field(2, b"") + GOOD + member(b"\x00", b"\x00", b"{}"),
    "negative hash key": KEY + field(2, b"-1") + GOOD + member(b"\x00", b"\x00", b"{}"),
    "hash key beyond the space": KEY + field(2, str(SPACE).encode()) + GOOD + member(b"\x00", b"\x00", b"{}"),
    "other digits": KEY + field(2, "١".encode()) + GOOD + member(b"\x00", b"\x00", b"{}"),
    "no partition key index": KEY + GOOD + member(None, None, b"{}"),
    "no data": KEY + GOOD + member(b"\x00", None, None),
    "key that is not UTF-8": KEY + field(1, b"\xff") + GOOD,
    "torn protobuf": (KEY + GOOD)[:-1],
    "no members": KEY,
    "nothing at all": b"",
}


def everywhere(data: list[bytes]) -> list[tuple[int, int, bytes]]:
    return [(0, SPACE - 1, each) for each in data]


def raw(data: bytes) -> list[UserRecord]:
    """The record as it was put (by the oracle, under the partition key "a")."""
    return [(0, "a", None, data)]


def expected(data: bytes) -> list[UserRecord]:
    try:
        members = decode(data)
    except Undecodable:
        return raw(data)
    return [(number, *each) for number, each in enumerate(members)] or raw(data)


def generated(count: int) -> list[bytes]:
    """Messages of random pieces, most of them broken in one way or another, under a right digest."""
    random = Random(242)
    indexes = [b"\x00", b"\x01", b"\x07", b"\x80\x01", b"\xff" * 9 + b"\x01", b"\x80\x80\x80\x80\x10", None]
    texts = [b"ann", b"\xc3\xa9", b"0", b"7", b"007", str(SPACE - 1).encode(), str(SPACE).encode(), b"+5", b" 5", b"", b"\xff"]

    def piece() -> bytes:
        match random.randrange(8):
            case 0:
                return field(1, random.choice(texts))
            case 1:
                return field(2, random.choice(texts))
            case 2:
                return field(random.choice([4, 5, 15]), random.randbytes(3))
            case 3:
                return random.randbytes(random.randrange(4))
            case _:
                return member(
                    random.choice(indexes[:3]) if random.random() < 0.8 else random.choice(indexes),
                    random.choice([None, None, None, *indexes]),
                    random.choice([b"", b"{}", b"x" * 90, b"y", b"z", None]),
                )

    started = [KEY + field(1, b"bob") + (field(2, b"7") if n % 2 else b"") for n in range(count)]
    return [sealed(start + b"".join(piece() for _ in range(random.randrange(5)))) for start in started]


def test_what_is_malformed_is_delivered_as_the_one_record_that_was_put() -> None:
    malformed = [sealed(message) for message in KINDS.values()]
    assert deaggregate(everywhere(malformed), java.REPLACEMENTS) == [raw(data) for data in malformed]


def test_the_jvm_and_python_agree_on_what_is_an_aggregate() -> None:
    """`tail` and `explain` decode in Python what the JVM decodes for the shards."""
    corpus = generated(3_000)
    right = [expected(data) for data in corpus]
    assert 300 < sum(each == raw(data) for each, data in zip(right, corpus, strict=True)) < 2_900, "both kinds"
    for data, got, wanted in zip(corpus, deaggregate(everywhere(corpus), java.REPLACEMENTS), right, strict=True):
        assert got == wanted, data.hex()


def sound(random: Random) -> bytes:
    return kpl.aggregated(
        (
            f"üser-{random.randrange(40)}",
            str(random.randrange(SPACE)) if random.random() < 0.2 else None,
            b"%d" % number,
        )
        for number in range(random.randrange(1, 9))
    )


def test_sound_aggregates_are_read_as_kcl_reads_them_whatever_the_shards_range() -> None:
    random = Random(7)
    records = []
    for _ in range(600):
        first, last = sorted(random.choice([0, SPACE // 4, SPACE // 2, SPACE - 1, random.randrange(SPACE)]) for _ in "ab")
        records.append((first, last, sound(random)))
        records.append((first, last, random.randbytes(30)))
    kcls = deaggregate(records)
    assert deaggregate(records, java.REPLACEMENTS) == kcls
    assert sum(not each for each in kcls) > 50, "some are dropped for a member of another shard"


def test_the_jar_is_the_source_compiled(tmp_path: Path) -> None:
    with zipfile.ZipFile(java.REPLACEMENTS) as jar:
        for source in SOURCE.parent.glob("*.java"):
            assert jar.read(source.name) == source.read_bytes(), "run `make replacements`"
    javac = shutil.which("javac")
    if javac is None:
        unavailable("no javac")
    assert javac is not None
    class_path = ":".join(map(str, java.class_path()[1:]))
    subprocess.run([javac, "--release", "11", "-cp", class_path, "-d", tmp_path, SOURCE], check=True, timeout=120)
    corpus = everywhere([*generated(500), *(sealed(message) for message in KINDS.values())])
    assert deaggregate(corpus, tmp_path) == deaggregate(corpus, java.REPLACEMENTS)


def test_a_shard_makes_each_a_dead_letter_and_goes_on(settings: Settings, tmp_path: Path) -> None:
    """Good events before, between and after."""
    resources.create(Clients(settings), settings, shards=1)
    platform = Platform(settings, tmp_path)
    malformed = [sealed(message) for message in KINDS.values()]
    put = 0

    def login() -> None:
        nonlocal put
        event = Login(event_id=f"e-{put}", user_id="ann", session_id="s", occurred_at=HOUR_MS)
        platform.kinesis.put_record(StreamName=platform.stream, Data=encode(event), PartitionKey="ann")
        put += 1

    letters: list[str] = []
    with platform.worker() as worker:
        login()
        for data in malformed:
            letters.append(
                platform.kinesis.put_record(StreamName=platform.stream, Data=data, PartitionKey="a")["SequenceNumber"]
            )
            login()
        (shard,) = platform.counted()
        platform.wait_until(lambda: platform.counted()[shard].events == put, "all good events", worker)
        assert platform.counted()[shard].dead_letters == len(malformed)
        assert "the worker died" not in platform.log.read_text()
    queue = platform.clients.sqs.get_queue_url(QueueName=DEAD_LETTERS.of(settings))["QueueUrl"]
    got: list[tuple[str, bytes]] = []
    while messages := platform.clients.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        found = [msgspec.json.decode(message["Body"]) for message in messages]
        got += [(each["position"], base64.b64decode(each["data"])) for each in found]
    assert sorted(data for _, data in got) == sorted(malformed)
    assert {int(position.split(".")[0]) for position, _ in got} == {int(number) for number in letters}

"""One server seen through boto3, with the few steps that every contract test takes."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.contract.differences import DIFFERENCES
from tests.contract.servers import Server
from tests.contract.service_model import violations

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import GetRecordsOutputTypeDef, RecordTypeDef, ShardTypeDef

HASH_SPACE = 1 << 128
DEADLINE_SECONDS = 20.0

_numbers = itertools.count()


class Target:
    """``client`` sends what it is given: botocore's own parameter checks are off, so that the server must refuse."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.name = server.name
        self._listed = {difference.topic: difference for difference in DIFFERENCES if difference.server == self.name}
        self.client: KinesisClient = boto3.client(
            "kinesis",
            region_name="us-east-1",
            endpoint_url=server.endpoint,
            aws_access_key_id="contract",
            aws_secret_access_key="contract",
            config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
        )
        self.client.meta.events.register("after-call.kinesis.*", self._judge)

    # --- judgement -----------------------------------------------------------------------------------------------

    def observe(self, topic: str, seen: object, documented: object) -> None:
        """What AWS documents must be seen, or exactly what the table of differences lists for this server.

        ``documented`` is a frozenset where AWS's documentation leaves more than one answer open.
        """
        listed = self._listed.get(topic)
        follows = seen in documented if isinstance(documented, frozenset) else seen == documented
        said = f"{self.name} at {topic}: saw {seen!r}, AWS has {documented!r}"
        if listed is None:
            assert follows, f"{said}; differences.py does not list it"
        elif isinstance(listed.answers, frozenset):
            assert seen in listed.answers, f"{said}, differences.py lists {listed.answers!r}"
        else:
            assert not follows, f"{said}; take it out of differences.py"
            assert seen == listed.answers, f"{said}, differences.py lists {listed.answers!r}"

    def refusal(self, operation: str, **parameters: Any) -> str | None:
        """The error type that a call is refused with; None when it is accepted."""
        try:
            getattr(self.client, operation)(**parameters)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return None

    def _judge(self, http_response: Any, model: Any, **_: Any) -> None:
        if model.has_event_stream_output:
            return
        headers = {name.lower(): value for name, value in http_response.headers.items()}
        found = violations(model, http_response.status_code, headers, http_response.content)
        unlisted = [
            each.text
            for each in found
            if f"answer.{each.kind}" not in self._listed and f"answer.{model.name}.{each.kind}" not in self._listed
        ]
        assert not unlisted, f"{self.name} answered {model.name} with {http_response.content[:500]!r}: {unlisted}"

    # --- streams and shards --------------------------------------------------------------------------------------

    def create(self, shards: int = 1) -> str:
        """A new ACTIVE stream's name."""
        stream = new_name()
        self.client.create_stream(StreamName=stream, ShardCount=shards)
        self.until_active(stream)
        return stream

    def delete(self, stream: str) -> None:
        """Deletes a stream, if it is there, and its consumers; on return its shards no longer count."""
        self.refusal("delete_stream", StreamName=stream, EnforceConsumerDeletion=True)

        def gone() -> bool:
            return self.refusal("describe_stream_summary", StreamName=stream) == "ResourceNotFoundException"

        until(gone, f"{stream} to go")

    def until_active(self, stream: str) -> None:
        def active() -> bool:
            summary = self.client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
            return summary["StreamStatus"] == "ACTIVE"

        until(active, f"{stream} to become ACTIVE")

    @contextmanager
    def resharding(self, stream: str) -> Iterator[None]:
        """The body changes the shards; on leaving, the stream is ACTIVE again."""
        yield
        self.until_active(stream)

    def shards(self, stream: str) -> dict[str, ShardTypeDef]:
        """Every shard, open and closed, by its id and in the order of ids."""
        found: list[ShardTypeDef] = []
        page = self.client.list_shards(StreamName=stream)
        found += page["Shards"]
        while token := page.get("NextToken"):
            page = self.client.list_shards(NextToken=token)
            found += page["Shards"]
        return {shard["ShardId"]: shard for shard in found}

    def open_shards(self, stream: str) -> list[ShardTypeDef]:
        """The open shards in the order of their hash ranges."""
        return sorted((shard for shard in self.shards(stream).values() if is_open(shard)), key=lambda s: hash_range(s)[0])

    # --- reading -------------------------------------------------------------------------------------------------

    def iterator(self, stream: str, shard: str, kind: str = "TRIM_HORIZON", **start: Any) -> str:
        call: Callable[..., Any] = self.client.get_shard_iterator
        return str(call(StreamName=stream, ShardId=shard, ShardIteratorType=kind, **start)["ShardIterator"])

    def read(self, iterator: str, count: int) -> list[RecordTypeDef]:
        """Follows iterators until ``count`` records were read (more are an error) and one more read gives none."""
        records: list[RecordTypeDef] = []

        def enough() -> bool:
            nonlocal iterator
            page = self.client.get_records(ShardIterator=iterator)
            records.extend(page["Records"])
            iterator = page.get("NextShardIterator", iterator)
            return len(records) >= count and not page["Records"]

        until(enough, f"{count} records")
        assert len(records) == count
        return records

    def read_to_tip(self, iterator: str) -> list[RecordTypeDef]:
        """An open shard's records so far."""
        records: list[RecordTypeDef] = []

        def at_tip() -> bool:
            nonlocal iterator
            try:
                page = self.client.get_records(ShardIterator=iterator)
            except self.client.exceptions.ProvisionedThroughputExceededException:
                return False
            records.extend(page["Records"])
            iterator = page["NextShardIterator"]
            return not page["Records"] and page["MillisBehindLatest"] == 0

        until(at_tip, "the tip of an open shard")
        return records

    def drain(self, iterator: str) -> tuple[list[RecordTypeDef], GetRecordsOutputTypeDef]:
        """A closed shard's records to its end, and the last answer: the one without a NextShardIterator."""
        records: list[RecordTypeDef] = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            page = self.client.get_records(ShardIterator=iterator)
            records += page["Records"]
            iterator = page.get("NextShardIterator", "")
            if not iterator:
                return records, page
            assert time.monotonic() < deadline, "the closed shard does not end"


def new_name() -> str:
    """A stream name that no test used before, and that sorts after them."""
    return f"contract-{time.time_ns()}-{next(_numbers)}"


def until(condition: Callable[[], bool], what: str) -> None:
    """Polls a condition until it holds; fails after the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS:.0f} s for {what}"
        time.sleep(0.01)


def hash_key(partition_key: str) -> int:
    """AWS: the MD5 of the partition key, as an unsigned 128-bit number."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest(), "big")


def hash_range(shard: ShardTypeDef) -> tuple[int, int]:
    """First and last hash key of a shard."""
    keys = shard["HashKeyRange"]
    return int(keys["StartingHashKey"]), int(keys["EndingHashKey"])


def home(shards: Iterable[ShardTypeDef], key: int) -> str:
    """The one of these shards that a hash key belongs to."""
    (found,) = (shard["ShardId"] for shard in shards if hash_range(shard)[0] <= key <= hash_range(shard)[1])
    return found


def is_open(shard: ShardTypeDef) -> bool:
    return "EndingSequenceNumber" not in shard["SequenceNumberRange"]


def partitions_the_hash_space(shards: list[ShardTypeDef]) -> bool:
    """Whether these shards' ranges cover every hash key exactly once."""
    ranges = sorted(hash_range(shard) for shard in shards)
    starts = [first for first, _ in ranges]
    return starts == [0, *(last + 1 for _, last in ranges[:-1])] and ranges[-1][1] == HASH_SPACE - 1

"""Files into the archive's bucket (S3), each written only over a version of itself with fewer events.

S3's conditional writes are the guard: a put names the version that it replaces, or that there is none. A worker that lost its
shard finds another version there, and gives way if that has more; whatever it may still write, its successor would have too.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from clickstream.aws.boto_types import S3Client
from clickstream.consumers.archive import parquet
from clickstream.consumers.archive.fold import Part
from clickstream.consumers.archive.names import Name
from clickstream.errors import RetryLater
from clickstream.failures.fan_out import write_each
from clickstream.failures.outages import translated
from clickstream.failures.refusals import error_code
from clickstream.records.position import Position

#: Files under way at once, to hide the round trips.
THREADS = 4
#: The object metadata that tells how many events a version has.
EVENTS = "events"
#: 409 is S3's word for two puts at the same moment, 404 that the version to be replaced was deleted.
_REFUSED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
_ATTEMPTS = 5


class Version(msgspec.Struct, frozen=True):
    events: int
    etag: str


def put(s3: S3Client, bucket: str, key: str, body: bytes, events: int, there: Version | None = None) -> Version | None:
    """The version written; None if the object is not ``there`` as we took it for. Raises RetryLater."""
    condition: dict[str, Any] = {"IfNoneMatch": "*"} if there is None else {"IfMatch": there.etag}
    with translated("S3"):
        try:
            answer = s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={EVENTS: str(events)}, **condition)
        except ClientError as error:
            if error_code(error) not in _REFUSED:
                raise
            return None
    return Version(events, answer["ETag"])


class ArchiveBucket:
    """See ``clickstream.application.Sink``; its effects are :class:`Part`."""

    def __init__(self, s3: S3Client, bucket: str, shard_id: str, *, threads: int = THREADS) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._shard_id = shard_id
        self._open: dict[str, Version] = {}
        """Key → what we last saw of a file that may still grow."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="archive")
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="parquet")

    def write(self, effects: Sequence[Part], position: Position) -> None:
        """Raises RetryLater when any file could not be written; the others are, and stay as they are.

        Chunk by chunk: a file of a later one says that all files of those before are complete, and compaction relies on it.
        """
        for _, parts in groupby(effects, lambda part: part.chunk):
            write_each(self._threads, self._write, parts)

    def _write(self, part: Part) -> None:
        key = Name(part.hour, self._shard_id, part.chunk, part.chunk).key
        body: bytes | None = None
        there = self._open.pop(key, None)
        for _ in range(_ATTEMPTS):
            if there is not None and there.events >= len(part.lines):
                if not part.complete:
                    self._open[key] = there
                return
            # on one thread: Arrow keeps memory for each that it has worked on
            body = body or self._encoder.submit(parquet.encode, part.lines).result()
            there = put(self._s3, self._bucket, key, body, len(part.lines), there) or self._look(key)
        raise RetryLater(f"S3: {key} changes under our hands")

    def _look(self, key: str) -> Version | None:
        with translated("S3"):
            try:
                found = self._s3.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error_code(error) not in {"404", "NoSuchKey"}:
                    raise
                return None
        return Version(int(found["Metadata"][EVENTS]), found["ETag"])

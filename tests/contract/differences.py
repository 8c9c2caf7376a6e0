"""Where the servers under the contract depart from AWS: the only table of it, and the source of its page in docs/.

``python -m tests.contract.differences`` writes the page; a test refuses a page that is not this table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.contract.servers import KINESIS_MOCK_VERSION, ROOT, ServerName

PAGE = ROOT / "docs" / "reference" / "local-kinesis-differences.md"
INVALID, VALIDATION, IN_USE = "InvalidArgumentException", "ValidationException", "ResourceInUseException"
SERIALIZATION, MISSING = "SerializationException", "ResourceNotFoundException"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One departure: the contract then demands exactly ``answers`` of ``server``, and AWS's behaviour of the other."""

    topic: str
    """The name under which a test observes it; ``answer.*`` is about an answer's form, whatever the call."""
    server: ServerName
    """The one that departs; the other follows AWS, unless it has an entry of its own."""
    answers: object
    """What is seen instead; None is an accepted call, a frozenset is an answer that varies from run to run."""
    documented: str
    """What AWS documents, or was seen to do."""
    why: str
    """Where it comes from, and why we do not follow it."""


def _same(
    topics: Iterable[str], *, server: ServerName = "kinesis-mock", answers: object, documented: str, why: str
) -> tuple[Difference, ...]:
    """One departure seen at several places."""
    return tuple(Difference(topic=topic, server=server, answers=answers, documented=documented, why=why) for topic in topics)


_BOUNDS = "A member outside its modelled bounds is refused by AWS's request validation, before the service looks at it."
_TYPES = "kinesis-mock decodes into types and calls everything that does not fit unreadable; AWS validates first."
_CRASH = "An exception in kinesis-mock that it does not answer: HTTP 500 without a body."
_NOT_CHECKED = "kinesis-mock does not check it."

DIFFERENCES: tuple[Difference, ...] = (
    *_same(
        [
            *("put.empty-key", "put.long-key", "puts.empty-key", "puts.long-key"),
            *("put.hash-key-negative", "put.hash-key-leading-zero"),
            *("iterator.malformed-shard", "iterator.bad-number", "scale.to-nothing", "get.limit-of-0"),
            *(f"create.malformed-name.{which}" for which in ("empty", "w", "x")),
        ],
        answers=INVALID,
        documented=VALIDATION,
        why=_BOUNDS,
    ),
    *_same(
        [
            *("put.no-key", "put.no-data", "iterator.unknown-type", "scale.unknown-type"),
            "list-shards.unknown-filter",
        ],
        answers=SERIALIZATION,
        documented=VALIDATION,
        why=_TYPES,
    ),
    *_same(["put.hash-key-not-a-number", "split.not-a-number"], answers="500", documented=VALIDATION, why=_CRASH),
    *_same(["get.malformed-iterator", "get.torn-iterator"], answers="500", documented=INVALID, why=_CRASH),
    *_same(["get.empty-iterator"], answers="500", documented=VALIDATION, why=_CRASH),
    *_same(["answer.error"], answers="no body", documented="a JSON body with __type and message", why=_CRASH),
    *_same(["answer.header"], answers="no x-amzn-RequestId", documented="x-amzn-RequestId, always", why=_CRASH),
    *_same(
        ["put.over-size-by-its-key", "puts.over-size-record", "puts.over-size-call"],
        answers=None,
        documented="refused: key and data together are bounded, and so is the call",
        why="kinesis-mock bounds PutRecord's data alone.",
    ),
    *_same(["puts.501-records", "puts.no-records"], answers=None, documented=VALIDATION, why=_NOT_CHECKED),
    *_same(["answer.PutRecords.value"], answers="more than 500 results", documented="at most 500", why=_NOT_CHECKED),
    *_same(
        [f"iterator.number-of-another-shard.{kind}_SEQUENCE_NUMBER" for kind in ("AT", "AFTER")],
        answers=None,
        documented=INVALID,
        why="AWS reads the shard out of the sequence number; kinesis-mock does not compare it.",
    ),
    *_same(["iterator.future"], answers=None, documented=INVALID, why=_NOT_CHECKED),
    *_same(
        ["split.closed", "merge.closed"],
        answers=IN_USE,
        documented=f"{INVALID}: it has already been merged or split",
        why="kinesis-mock takes a closed shard for a busy one; ResourceInUseException is about the stream's state.",
    ),
    *_same(
        ["split.at-its-start", "split.at-its-end"],
        answers=None,
        documented=f"{INVALID}: strictly between the shard's first and last hash key",
        why=_NOT_CHECKED,
    ),
    *_same(
        ["closed-shard.ending-number"],
        answers=False,
        documented="EndingSequenceNumber lies between the shard's last record and its children's start",
        why="kinesis-mock gives every closed shard the EndingSequenceNumber 2^63 - 1.",
    ),
    *_same(
        ["merge.child-starts-after-its-parents"],
        answers=frozenset({True, False}),
        documented="a child's sequence numbers are greater than its parents'",
        why="kinesis-mock's numbers grow by the second: a stream made and merged within one starts again.",
    ),
    *_same(
        ["new-shards.start.2", "new-shards.start.4"],
        answers="floor((2^128 - 1) / n) keys each",
        documented="floor(i * 2^128 / n)",
        why="kinesis-mock divides 2^128 - 1: its boundaries lie a few keys lower, and the last shard takes the rest.",
    ),
    *_same(
        ["list-shards.AT_TRIM_HORIZON"],
        answers=(0, 1, 2, 3),
        documented="the shards that were open at the horizon",
        why="kinesis-mock lists every shard that is not yet past the retention.",
    ),
    *_same(
        [f"list-shards.{kind}" for kind in ("AT_TIMESTAMP.before", "AT_TIMESTAMP.after", "FROM_TIMESTAMP.after")],
        answers=frozenset({(0, 1, 2, 3), (0, 1), (1, 2, 3)}),
        documented="the shards that were open at (from) that millisecond",
        why="kinesis-mock compares whole seconds: what opened and closed within the second counts as both.",
    ),
    *_same(
        ["scale.over-double", "scale.under-half"],
        server="embedded",
        answers=None,
        documented="at most double and at least half of the open shards",
        why="A laptop scales 8 shards to 3 in one call; `--limits` enforces AWS's bounds (test_throughput.py).",
    ),
    *_same(
        ["retention.old-record-read"],
        answers=True,
        documented="a record past the retention is gone",
        why="kinesis-mock went on answering a record a day and more after its arrival.",
    ),
    *_same(["list-consumers.token"], answers=False, documented="a NextToken", why="kinesis-mock drops the rest."),
    *_same(
        ["delete.refused-for-consumers-then-forced"],
        answers=MISSING,
        documented="the refused deletion deletes nothing",
        why="kinesis-mock deletes the stream while it answers ResourceInUseException.",
    ),
    *_same(
        ["cbor.get-records.data"],
        answers="str",
        documented="bytes",
        why="kinesis-mock keeps data as base64 text and forgets that CBOR has bytes.",
    ),
    *_same(
        ["answer.null"],
        answers="null",
        documented="a member that has no value is left out",
        why="kinesis-mock writes null for absent members; SDKs read both alike.",
    ),
    *_same(
        ["answer.ListTagsForResource.unknown"],
        answers="NextToken: null",
        documented="all tags in one answer",
        why="kinesis-mock writes null for absent members, here for one that the API does not have.",
    ),
    *_same(
        ["answer.UpdateMaxRecordSize.unknown"],
        answers="the stream and its new setting",
        documented="an empty answer",
        why="kinesis-mock answers as UpdateStreamWarmThroughput does.",
    ),
    *_same(
        ["answer.DescribeStreamConsumer.unknown"],
        answers="Tags",
        documented="a consumer description has no Tags",
        why="kinesis-mock serves what it stores.",
    ),
)


def page() -> str:
    """The table as Markdown."""
    lines = [
        "# Where the local Kinesis servers depart from AWS",
        "",
        "One contract suite (`tests/contract`) runs against our embedded Kinesis (`infra/local/kinesis`, here: embedded)",
        f"and against kinesis-mock {KINESIS_MOCK_VERSION}. It demands what AWS documents. Where a server departs, this",
        "table says so, and the suite then demands exactly the departure: a difference that is not listed fails, and so",
        "does a listed one that is gone. The server that is not named in a row follows AWS there. AWS's side is its API",
        "reference, the service model in botocore, and, for error types that neither names, what users saw and reported.",
        "",
        "Written by `python -m tests.contract.differences`; edit `tests/contract/differences.py` instead.",
        "",
        "| departs | at | it answers | AWS, and the other server | why |",
        "|---|---|---|---|---|",
    ]
    for (server, answers, documented, why), group in groupby(
        DIFFERENCES, key=lambda each: (each.server, _shown(each.answers), each.documented, each.why)
    ):
        topics = ", ".join(f"`{each.topic}`" for each in group)
        lines.append(f"| {server} | {topics} | {answers} | {documented} | {why} |")
    return "\n".join(lines) + "\n"


def _shown(answers: object) -> str:
    if answers is None:
        return "accepts it"
    if isinstance(answers, frozenset):
        return "varies"
    return str(answers)


def write(path: Path = PAGE) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(page())


if __name__ == "__main__":
    write()

"""Anybody can read the stream: Lambda, Node, Java and a shell, none of them with code of ours, read exactly what was put."""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from pathlib import Path

import msgspec
import pytest

from clickstream.infra.local.stack import Stack
from tests.integration.readers import stream, tongues
from tests.integration.readers.stream import Stream, login
from tests.integration.readers.tongues import Reader, event_of, invoke

pytestmark = [pytest.mark.integration, pytest.mark.java]

PROGRAMS: list[Reader] = [tongues.python, tongues.node, tongues.java]


@pytest.fixture(scope="module")
def put(local_aws: Stack) -> Stream:
    return stream.written(msgspec.structs.replace(local_aws.settings, name=f"test-{uuid.uuid4().hex[:12]}"))


def test_the_stream_has_records_of_every_kind(put: Stream) -> None:
    begins = [data[:2] for data in put.data]
    assert begins.count(b"\x28\xb5") >= 2  # the publisher's and another's
    assert begins.count(b"\x1f\x8b") >= 3
    assert sum(data.startswith(b"{") and data.count(b"\n") > 100 for data in put.data) >= 1
    assert sum(data.startswith(b"{") and b"\n" not in data for data in put.data) >= 3


@pytest.mark.parametrize("reader", [*PROGRAMS, tongues.shell], ids=lambda reader: reader.__name__)
def test_a_reader_reads_exactly_what_was_put_in_order(reader: Reader, put: Stream, tmp_path: Path) -> None:
    read = reader(put.data, tmp_path)
    assert (read.events, read.refused) == (put.events, [])


def test_a_shell_without_zstd_reads_a_stream_of_gzip(put: Stream, tmp_path: Path) -> None:
    data = [each for each in put.data if not each.startswith(b"\x28\xb5")]
    wanted = [event for each in data for event in tongues.python([each], tmp_path).events]
    assert tongues.shell_without_zstd(data, tmp_path) == (wanted, [])


def test_lambda_reads_gzip_and_plain_records_with_the_standard_library_alone(put: Stream, tmp_path: Path) -> None:
    data = [each for each in put.data if not each.startswith(b"\x28\xb5")]
    alone = invoke(event_of(data), tmp_path, "-I", "-S")
    assert alone["answer"] == {"batchItemFailures": []}
    assert alone["handled"] == tongues.python(data, tmp_path).events
    assert len(alone["handled"]) > 4_000


def test_lambda_without_zstd_gives_a_zstd_record_back(put: Stream, tmp_path: Path) -> None:
    """A layer that was forgotten loses nothing: the mapping waits at that record."""
    first = next(number for number, data in enumerate(put.data) if data.startswith(b"\x28\xb5"))
    alone = invoke(event_of(put.data), tmp_path, "-I", "-S")
    assert alone["answer"] == {"batchItemFailures": [{"itemIdentifier": str(first)}]}


def test_lambda_gives_back_the_record_whose_event_failed_and_all_that_follow(put: Stream, tmp_path: Path) -> None:
    poison = put.events[2450]
    failed = invoke(event_of(put.data), tmp_path, poison=poison["event_id"])
    (item,) = failed["answer"]["batchItemFailures"]
    assert failed["handled"] == put.events[:2450]
    again = tongues.python(put.data[int(item["itemIdentifier"]) :], tmp_path)
    assert poison in again.events
    assert again.events == put.events[-len(again.events) :]


@pytest.mark.parametrize("reader", PROGRAMS, ids=lambda reader: reader.__name__)
def test_damaged_blocks_are_named_and_cost_no_others(reader: Reader, tmp_path: Path) -> None:
    harmed = stream.damaged()
    good = [login(number) for number in range(len(harmed) + 1)]
    data = [good[0]]
    for damage, following in zip(harmed, good[1:], strict=True):
        data += [damage.data, following]
    read = reader(data, tmp_path)
    assert read.events == [json.loads(each) for each in good]
    assert len(read.refused) == len(harmed), [each.what for each in harmed]


def test_a_bad_line_in_a_lambda_costs_none_of_its_neighbours(tmp_path: Path) -> None:
    text = b"\n".join([login(1), b"", b'{"type": "login', login(2)])
    read = tongues.python([gzip.compress(text)], tmp_path)
    assert read.events == [json.loads(login(1)), json.loads(login(2))]
    assert [said.partition(": ")[0] for said in read.refused] == ["('0', 2)"]


def test_firehose_is_given_plain_lines(put: Stream, tmp_path: Path) -> None:
    harmed = stream.damaged()[0].data
    records = [
        {"recordId": f"id-{number}", "data": base64.b64encode(data).decode(), "approximateArrivalTimestamp": 1}
        for number, data in enumerate([*put.data, harmed])
    ]
    *answers, last = invoke({"records": records}, tmp_path, entry="transform")["answer"]["records"]
    assert [each["recordId"] for each in answers] == [each["recordId"] for each in records[:-1]]
    assert {each["result"] for each in answers} == {"Ok"}
    file = b"".join(base64.b64decode(each["data"]) for each in answers)
    assert [json.loads(line) for line in file.splitlines()] == put.events
    assert (last["result"], last["data"]) == ("ProcessingFailed", records[-1]["data"])

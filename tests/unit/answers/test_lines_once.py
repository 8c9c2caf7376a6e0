"""Every line is in one object once, however writers crash, cut and overtake each other; the oracle is the list of lines."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from clickstream.answers import files
from clickstream.answers.effects import Line
from clickstream.answers.files import FilesBucket
from clickstream.aws import Clients
from clickstream.errors import Unwritable
from clickstream.settings import Settings

SHARD, BUCKET, DAY_MS = "shardId-000000000000", "told-files", 86_400_000
FORMATS = {"lines": "ndjson", "columns": "parquet"}
LINES = [Line("lines", DAY_MS * (n % 3 == 0), b'{"n":%d}' % n, n) for n in range(40)]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(files, "BLOCK_LINES", 16)
    with mock_aws():
        client = Clients(Settings()).s3
        client.create_bucket(Bucket=BUCKET)
        yield client


def _write(bucket: FilesBucket, lines: list[Line]) -> None:
    for write in bucket.writes(lines):
        write()


def _objects(s3: Any) -> dict[str, bytes]:
    return {
        each["Key"]: s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
        for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
    }


#: Who writes (an owner that lost its lease may go on), whether its process is a new one, how many lines it has at once.
turns = st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(1, 12)), max_size=25)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=turns, commit=st.integers(0, 5))
def test_each_line_is_stored_once_and_in_order(s3: Any, turns: list[tuple[int, bool, int]], commit: int) -> None:
    for key in _objects(s3):
        s3.delete_object(Bucket=BUCKET, Key=key)
    at = [0, 0]
    writers = [FilesBucket(s3, BUCKET, SHARD, FORMATS) for _ in at]
    for who, is_new, count in turns:
        if is_new:  # it goes on from what was committed last, in other batches
            writers[who], at[who] = FilesBucket(s3, BUCKET, SHARD, FORMATS), max(0, at[who] - commit)
        _write(writers[who], LINES[at[who] : at[who] + count])
        at[who] = min(len(LINES), at[who] + count)
    _write(FilesBucket(s3, BUCKET, SHARD, FORMATS), LINES[min(at) :])
    found: dict[str, list[bytes]] = {}
    for key, body in _objects(s3).items():
        found.setdefault(key.split("/")[1], []).extend(body.splitlines())
    expected = [[line.line for line in LINES if line.at_ms == day] for day in (0, DAY_MS)]
    assert [found["date=1970-01-01"], found["date=1970-01-02"]] == expected


def test_a_field_of_another_type_is_unwritable_and_hinders_no_other(s3: Any) -> None:
    bucket = FilesBucket(s3, BUCKET, SHARD, FORMATS)
    texts = [b'{"at":"2026-11-24","n":1}', b'{"at":"later","n":2.5,"more":{"x":1}}', b'{"n":"three"}', b'{"at":"now"}']
    lines = [Line("columns", 0, text, n) for n, text in enumerate(texts)]
    _write(bucket, lines[:1])  # alone it looks like a time
    _write(bucket, lines[1:2])
    with pytest.raises(Unwritable):
        _write(bucket, lines[2:])
    for line in lines[2:]:  # as the runtime does then, each alone
        try:
            _write(bucket, [line])
        except Unwritable:
            assert line is lines[2]
    (body,) = _objects(s3).values()
    assert pyarrow.parquet.read_table(io.BytesIO(body)).to_pydict() == {
        "at": ["2026-11-24", "later", "now"],
        "n": [1.0, 2.5, None],
        "more": [None, {"x": 1}, None],
    }


@pytest.mark.parametrize("field", ['["2026-11-24"]', '{"d":"2026-11-24","n":1}', '[{"d":["2026-11-24"]}]'])
def test_text_within_a_field_is_text(s3: Any, field: str) -> None:
    bucket, later = FilesBucket(s3, BUCKET, SHARD, FORMATS), field.replace("2026-11-24", "later")
    for n, text in enumerate((field, later)):
        _write(bucket, [Line("columns", 0, b'{"a":%s}' % text.encode(), n)])
    (body,) = _objects(s3).values()
    assert pyarrow.parquet.read_table(io.BytesIO(body)).to_pydict() == {"a": [json.loads(field), json.loads(later)]}


def test_what_parquet_has_no_column_for_is_unwritable(s3: Any) -> None:
    with pytest.raises(Unwritable):
        _write(FilesBucket(s3, BUCKET, SHARD, FORMATS), [Line("columns", 0, b'{"attributes":{}}', 0)])


def test_parquet_carries_no_pandas() -> None:
    program = (
        "import sys\n"
        "from clickstream.answers.files import _parquet\n"
        """_parquet(_parquet(b"", [b'{"n":1}']), [b'{"n":2}'])\n"""
        "print(*{'pandas'} & set(sys.modules))\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout.split()) == (0, []), said.stderr

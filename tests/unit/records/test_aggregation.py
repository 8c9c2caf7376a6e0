"""The codec on what the real KPL wrote, on records that are broken in known ways, and in an interpreter of its own."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from clickstream.errors import Undecodable
from clickstream.records.aggregation import MAGIC, decode, is_aggregated
from clickstream.records.routing import hash_key


def vectors(datasets: Path, name: str) -> Any:
    return json.loads((datasets / "kpl_vectors" / name).read_text())


def test_records_of_the_real_kpl(datasets: Path) -> None:
    for vector in vectors(datasets, "DERIVED_kpl_vectors.json"):
        data = base64.b64decode(vector["data_base64"])
        assert is_aggregated(data) == vector["aggregated"], vector["name"]
        if vector["aggregated"]:
            expected = [
                (each["partition_key"], each["explicit_hash_key"], each["data"].encode()) for each in vector["user_records"]
            ]
            assert decode(data) == expected, vector["name"]


def test_hash_keys_of_the_real_kpl(datasets: Path) -> None:
    for vector in vectors(datasets, "DERIVED_hash_key_vectors.json")["partition_key_md5"]:
        assert hash_key(vector["partition_key"]).hex() == vector["md5_hex"]


def sealed(message: bytes) -> bytes:
    return MAGIC + message + md5(message).digest()


KEY = b"\x0a\x01k"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "wrong magic"),
        (b'{"type":"login"}', "wrong magic"),
        (MAGIC, "wrong MD5"),
        (MAGIC + bytes(16), "wrong MD5"),
        (sealed(b"")[:-1], "wrong MD5"),
        (sealed(KEY + b"\x1a\x05\x08\x00\x1a\x09x"), "Error parsing"),
        (sealed(KEY + b"\x1a\x03\x1a\x01x"), "lacks"),
        (sealed(KEY + b"\x1a\x02\x08\x00"), "lacks"),
        (sealed(KEY + b"\x1a\x05\x08\x01\x1a\x01x"), "outside of its table"),
        (sealed(KEY + b"\x1a\x07\x08\x00\x10\x00\x1a\x01x"), "outside of its table"),
        (sealed(KEY + b"\x12\x01x\x1a\x07\x08\x00\x10\x00\x1a\x01x"), "no number of 128 bits"),
        (sealed(KEY + b"\x12\x02-1\x1a\x07\x08\x00\x10\x00\x1a\x01x"), "no number of 128 bits"),
        (sealed(KEY + b"\x12\x27" + b"9" * 39 + b"\x1a\x07\x08\x00\x10\x00\x1a\x01x"), "no number of 128 bits"),
        (sealed(b"\x0a\x01\xff\x1a\x05\x08\x00\x1a\x01x"), "not UTF-8"),
    ],
)
def test_a_broken_aggregate_says_what_is_wrong(data: bytes, reason: str) -> None:
    with pytest.raises(Undecodable, match=reason):
        decode(data)


def test_an_empty_aggregate_has_no_records() -> None:
    assert decode(sealed(b"")) == []


def test_tags_and_unknown_fields_are_passed_over() -> None:
    tag = b"\x22\x03\x0a\x01t"
    unknown = b"\x7a\x01?"
    record = b"\x08\x00\x1a\x01x" + tag + unknown
    assert decode(sealed(KEY + b"\x1a" + bytes([len(record)]) + record + unknown)) == [("k", None, b"x")]


def test_decoding_leaves_the_import_path_as_it_was(tmp_path: Path) -> None:
    """aws-kinesis-agg puts its folder first on sys.path, where its ``aggregator`` shadows anybody's."""
    (tmp_path / "aggregator.py").write_text("OURS = True")
    code = (
        "import sys; before = sys.path[:]\n"
        "from clickstream.records.aggregation import Aggregate, decode\n"
        "assert 'google.protobuf' not in sys.modules, 'protobuf is imported before an aggregate is read'\n"
        "a = Aggregate(100); a.add('k', b'x'); assert decode(a.encode()) == [('k', None, b'x')]\n"
        "assert sys.path == before\n"
        "import aggregator; assert aggregator.OURS\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}, timeout=60)

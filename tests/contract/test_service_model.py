"""The judge of answers, judged: it accepts a right answer and names what is wrong with a wrong one."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest

from tests.contract.service_model import violations

pytestmark = pytest.mark.contract

HEADERS = {"x-amzn-requestid": "1", "content-type": "application/x-amz-json-1.1"}
RECORD = {
    "SequenceNumber": "49680522378274845692778811704500651007484385999718449170",
    "ApproximateArrivalTimestamp": 1795526400.123,
    "Data": "AAEC",
    "PartitionKey": "k",
}


@pytest.fixture(scope="module")
def model() -> Any:
    return botocore.session.get_session().get_service_model("kinesis")


def kinds(model: Any, operation: str, answer: object, *, status: int = 200, headers: Any = None) -> list[str]:
    body = b"" if answer is None else json.dumps(answer).encode()
    found = violations(model.operation_model(operation), status, HEADERS if headers is None else headers, body)
    return [violation.kind for violation in found]


def test_right_answers_pass(model: Any) -> None:
    page = {"Records": [RECORD], "NextShardIterator": "AAAA", "MillisBehindLatest": 0}
    assert kinds(model, "GetRecords", page) == []
    assert kinds(model, "CreateStream", None) == []
    refusal = {"__type": "ResourceNotFoundException", "message": "Stream a not found."}
    assert kinds(model, "GetRecords", refusal, status=400) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"Data": ...}, "missing"),
        ({"PartitionKey": None}, "null"),
        ({"PartitionKey": "k" * 257}, "value"),
        ({"PartitionKey": 5}, "value"),
        ({"Shard": "shardId-000000000000"}, "unknown"),
        ({"Data": "not base64"}, "value"),
        ({"ApproximateArrivalTimestamp": "2026-11-24"}, "value"),
        ({"ApproximateArrivalTimestamp": 1795526400123}, "value"),
        ({"EncryptionType": "ROT13"}, "value"),
        ({"SequenceNumber": "007"}, "value"),
    ],
)
def test_a_wrong_record_is_named(model: Any, change: dict[str, object], kind: str) -> None:
    record = {name: value for name, value in {**RECORD, **change}.items() if value is not ...}
    assert set(kinds(model, "GetRecords", {"Records": [record], "MillisBehindLatest": 0})) == {kind}


@pytest.mark.parametrize(
    ("answer", "status", "headers", "kind"),
    [
        ({"Records": [], "MillisBehindLatest": True}, 200, HEADERS, "value"),
        ({"Records": [], "MillisBehindLatest": 1.5}, 200, HEADERS, "value"),
        ({"Records": {}}, 200, HEADERS, "value"),
        ({"Records": []}, 200, {**HEADERS, "content-type": "application/json"}, "header"),
        ({"Records": []}, 200, {"content-type": "application/x-amz-json-1.1"}, "header"),
        ({"__type": "NoSuchException", "message": ""}, 400, HEADERS, "error"),
        ({"__type": "ResourceNotFoundException"}, 400, HEADERS, "error"),
        ({"__type": "ResourceNotFoundException", "message": ""}, 404, HEADERS, "error"),
        (None, 500, HEADERS, "error"),
    ],
)
def test_a_wrong_answer_is_named(model: Any, answer: object, status: int, headers: dict[str, str], kind: str) -> None:
    assert set(kinds(model, "GetRecords", answer, status=status, headers=headers)) == {kind}


def test_a_body_where_none_belongs(model: Any) -> None:
    assert kinds(model, "CreateStream", {"StreamName": "a"}) == ["unknown"]

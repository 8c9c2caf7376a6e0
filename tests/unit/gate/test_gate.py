"""What the gate says to a call: actions and resources, policies and their conditions, injected faults."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from clickstream.infra.local import roles
from clickstream.infra.local.gate import faults
from clickstream.infra.local.gate.actions import Need, needs
from clickstream.infra.local.gate.asgi import Middleware, control
from clickstream.infra.local.gate.faults import Fault
from clickstream.infra.local.gate.gate import Gate
from clickstream.infra.local.gate.policies import Policies
from clickstream.infra.local.gate.protocols import render
from clickstream.infra.local.gate.requests import Caller, Request
from clickstream.infra.local.limits.refusal import Refusal

ARN = "arn:aws:sts::000000000000:assumed-role/shop-"


def call(service: str, operation: str, role: str = "fraud", **given: Any) -> Request:
    return Request(Caller(f"shop.{role}" if role else "test", "us-east-1", service), operation, given)


@pytest.fixture
def gate() -> Gate:
    return Gate(Policies.read(roles.policies()))


@pytest.mark.parametrize(
    ("request_", "needed"),
    [
        (call("dynamodb", "Query", TableName="t"), [("dynamodb:Query", "dynamodb:table/t")]),
        (call("dynamodb", "Query", TableName="t", IndexName="i"), [("dynamodb:Query", "dynamodb:table/t/index/i")]),
        (
            call("dynamodb", "GetItem", TableName="arn:aws:dynamodb:us-east-1:000000000000:table/t"),
            [("dynamodb:GetItem", "dynamodb:table/t")],
        ),
        (
            call("dynamodb", "BatchGetItem", RequestItems={"a": {}, "b": {}}),
            [("dynamodb:BatchGetItem", "dynamodb:table/a"), ("dynamodb:BatchGetItem", "dynamodb:table/b")],
        ),
        (
            call(
                "dynamodb",
                "TransactWriteItems",
                TransactItems=[{"Update": {"TableName": "a"}}, {"ConditionCheck": {"TableName": "b"}}],
            ),
            [("dynamodb:UpdateItem", "dynamodb:table/a"), ("dynamodb:ConditionCheckItem", "dynamodb:table/b")],
        ),
        (
            call(
                "dynamodb",
                "BatchExecuteStatement",
                Statements=[
                    {"Statement": "INSERT INTO \"a\" VALUE {'k': ?}"},
                    {"Statement": 'UPDATE "b" SET "x" = ? WHERE "k" = ?'},
                ],
            ),
            [("dynamodb:PartiQLInsert", "dynamodb:table/a"), ("dynamodb:PartiQLUpdate", "dynamodb:table/b")],
        ),
        (call("s3", "HeadObject", Bucket="b", Key="k/l"), [("s3:GetObject", "s3:b/k/l")]),
        (call("s3", "ListObjectsV2", Bucket="b"), [("s3:ListBucket", "s3:b")]),
        (
            call("s3", "DeleteObjects", Bucket="b", Delete={"Objects": [{"Key": "1"}, {"Key": "2"}]}),
            [("s3:DeleteObject", "s3:b/1"), ("s3:DeleteObject", "s3:b/2")],
        ),
        (call("sqs", "SendMessageBatch", QueueUrl="http://127.0.0.1:1/000000000000/q"), [("sqs:SendMessage", "sqs:q")]),
        (call("sns", "PublishBatch", TopicArn="arn:aws:sns:us-east-1:000000000000:t"), [("sns:Publish", "sns:t")]),
        (
            call("kinesis", "SubscribeToShard", ConsumerARN="arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1"),
            [("kinesis:SubscribeToShard", "kinesis:stream/s/consumer/c:1")],
        ),
        (
            call("kinesis", "ListShards", StreamARN="arn:aws:kinesis:us-east-1:000000000000:stream/s"),
            [("kinesis:ListShards", "kinesis:stream/s")],
        ),
        (
            call("stepfunctions", "StartExecution", stateMachineArn="arn:aws:states:us-east-1:000000000000:stateMachine:m"),
            [("states:StartExecution", "states:stateMachine:m")],
        ),
        (call("lambda", "Invoke", FunctionName="f"), [("lambda:InvokeFunction", "lambda:function:f")]),
        (call("cloudwatch", "PutMetricData"), [("cloudwatch:PutMetricData", "*")]),
        (call("sts", "GetCallerIdentity"), []),
    ],
)
def test_a_call_asks_for_actions_on_resources(request_: Request, needed: list[tuple[str, str]]) -> None:
    assert needs(request_) == [Need(*each) for each in needed]


def test_an_iterator_tells_its_stream() -> None:
    read = call("kinesis", "GetRecords", ShardIterator="sealed")
    assert needs(read, lambda given: f"of-{given['ShardIterator']}") == [Need("kinesis:GetRecords", "kinesis:stream/of-sealed")]


def test_a_role_is_refused_by_name_action_and_resource(gate: Gate) -> None:
    assert gate.refusal(call("dynamodb", "PutItem", TableName="shop-decisions", Item={"event_id": {"S": "e"}})) is None
    refused = gate.refusal(call("dynamodb", "GetItem", TableName="shop-aggregates", Key={}))
    assert refused == Refusal(
        "AccessDeniedException",
        f"User: {ARN}fraud/fraud is not authorized to perform: dynamodb:GetItem on resource: "
        "arn:aws:dynamodb:us-east-1:000000000000:table/shop-aggregates because no identity-based policy allows the "
        "dynamodb:GetItem action",
    )


def test_what_the_policies_deny_is_told_once(gate: Gate) -> None:
    for _ in range(2):
        gate.refusal(call("dynamodb", "GetItem", TableName="shop-aggregates", Key={}))
    denied = json.loads(control(gate, "GET", b"").body)["denied"]
    assert denied == ["shop.fraud dynamodb:GetItem dynamodb:table/shop-aggregates"]


def test_a_role_may_nothing_in_another_deployment(gate: Gate) -> None:
    refused = gate.refusal(call("dynamodb", "PutItem", TableName="bank-decisions", Item={}))
    assert refused is not None
    assert refused.code == "AccessDeniedException"


def test_a_condition_holds_for_its_own_namespace_only(gate: Gate) -> None:
    assert gate.refusal(call("cloudwatch", "PutMetricData", Namespace="shop-fraud")) is None
    for given in ({"Namespace": "shop-orders"}, {}):
        refused = gate.refusal(call("cloudwatch", "PutMetricData", **given))
        assert refused is not None
        assert refused.code == "AccessDenied"


def test_a_replay_needs_no_right_to_read_what_was_written_before(gate: Gate) -> None:
    """A refused put returns what stands in its way; who read it instead, without the right to, waited for ever."""
    for table, application in (("shop-order-states", "orders"), ("shop-decisions", "fraud")):
        assert gate.refusal(call("dynamodb", "PutItem", application, TableName=table, Item={})) is None
        assert gate.refusal(call("dynamodb", "GetItem", application, TableName=table, Key={})) is not None


def test_serving_may_look_at_dead_letters_and_not_remove_one(gate: Gate) -> None:
    """That a look leaves them visible too is its own doing: IAM knows no condition for it."""
    refused = {
        operation: gate.refusal(
            call("sqs", operation, "serving", QueueUrl="http://q/0/shop-dead-letters", Entries=[{"Id": "1"}])
        )
        is not None
        for operation in ("ReceiveMessage", "ChangeMessageVisibilityBatch", "DeleteMessage", "SendMessage", "PurgeQueue")
    }
    assert [operation for operation, is_refused in refused.items() if not is_refused] == ["ReceiveMessage"]


def test_only_who_may_list_a_bucket_is_told_what_is_not_in_it(gate: Gate) -> None:
    assert gate.hidden(call("s3", "GetObject", "analytics", Bucket="shop-state", Key="k")) is None
    assert gate.hidden(call("s3", "GetObject", "", Bucket="shop-archive", Key="k")) is None
    refused = gate.hidden(call("s3", "HeadObject", "analytics", Bucket="shop-models", Key="k"))
    assert refused is not None
    assert (refused.code, refused.status) == ("AccessDenied", 403)


@pytest.mark.parametrize("service", ["dynamodb", "kinesis", "sqs", "sns", "s3"])
def test_a_key_of_no_role_is_not_known(service: str, gate: Gate) -> None:
    refused = gate.refusal(call(service, "ListThings", "nobody"))
    assert refused is not None
    assert refused.code in {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"}


def test_a_call_of_a_wrong_shape_is_left_to_the_service(gate: Gate) -> None:
    assert gate.refusal(call("dynamodb", "BatchWriteItem", "", RequestItems=[1])) is None
    assert gate.refusal(call("sns", "Publish", "")) is None


PUT = call("dynamodb", "PutItem", TableName="shop-decisions", Item={"event_id": {"S": "e-13"}})


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("denied", action="dynamodb:Put*"), "AccessDeniedException"),
        (Fault("kms"), "KMSDisabledException"),
        (Fault("expired"), "ExpiredTokenException"),
        (Fault("skewed"), "InvalidSignatureException"),
        (Fault("final", value="e-13"), "ValidationException"),
    ],
)
def test_a_fault_hits_whom_and_what_it_names(fault: Fault, code: str, gate: Gate) -> None:
    for missing in (
        fault._replace(who="shop.orders"),
        fault._replace(who="test"),
        fault._replace(action="dynamodb:GetItem"),
        fault._replace(resource="dynamodb:table/shop-outcomes"),
        *([fault._replace(value="e-14")] if fault.value else []),
    ):
        gate.active = [missing]
        assert gate.refusal(PUT) is None
    gate.active = [fault._replace(who="shop.*", resource="dynamodb:table/shop-d*")]
    refused = gate.refusal(PUT)
    assert refused is not None
    assert refused.code == code
    gate.active = []
    assert gate.refusal(PUT) is None


@pytest.mark.parametrize(
    ("refusal", "kinds"),
    [
        (faults.answer(kind, service, "us-east-1"), kind)
        for kind in ("kms", "expired", "skewed", "final")
        for service in ("dynamodb", "kinesis", "s3", "sns", "sqs", "stepfunctions")
    ],
)
def test_every_injected_refusal_is_of_the_kind_that_it_stands_for(refusal: Refusal, kinds: str) -> None:
    from clickstream.errors import Forbidden, Unwritable
    from clickstream.failures.refusals import kind_of

    assert kind_of(refusal.code) is (Unwritable if kinds == "final" else Forbidden)


def test_faults_come_and_go_by_the_control_endpoint(gate: Gate) -> None:
    first, second = Fault("kms", who="shop.*"), Fault("final", value="e")
    control(gate, "POST", json.dumps([first._asdict(), second._asdict()]).encode())
    assert gate.active == [first, second]
    assert json.loads(control(gate, "GET", b"").body) == {"active": [first._asdict(), second._asdict()], "denied": []}
    control(gate, "DELETE", json.dumps([first._asdict()]).encode())
    assert gate.active == [second]
    control(gate, "DELETE", b"")
    assert gate.active == []


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b'[{"kind": "storm"}]', b'[{"kind": "kms", "more": 1}]', b'[{"kind": "final"}]', b"[{}]"]
)
def test_a_fault_that_is_none_is_refused(body: bytes, gate: Gate) -> None:
    assert control(gate, "POST", body).status == 400
    assert gate.active == []


def test_a_head_is_answered_without_a_body() -> None:
    said = render("s3", Refusal("AccessDenied", "no", 403), head=True)
    assert (said.status, said.body) == (403, b"")
    assert (b"content-length", b"0") in said.headers


@pytest.mark.parametrize("arrived", [b"", b'{"TableName": "shop-sha'])
def test_half_of_a_request_is_judged_by_nobody(gate: Gate, arrived: bytes) -> None:
    """A process killed with -9 within its call: it has asked for nothing, least of all for what its role may not do."""
    messages: list[Any] = [{"type": "http.request", "body": arrived, "more_body": True}, {"type": "http.disconnect"}]
    seen: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        seen.append(message)

    async def app(*given: Any) -> None:
        seen.append(given)

    signed = "AWS4-HMAC-SHA256 Credential=shop.fraud/20261130/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
    headers = [(b"authorization", signed.encode()), (b"x-amz-target", b"DynamoDB_20120810.UpdateItem")]
    scope = {"type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": headers}
    asyncio.run(Middleware(app, gate)(scope, receive, send))
    assert (gate.denied, seen, messages) == ({}, [], [])

"""The embedded AWS refuses what AWS refuses, to boto3 as a client sees it: limits, permissions, and what is injected."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from clickstream.aws import Clients
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.fraud.needs import ALERTS, DECISIONS
from clickstream.consumers.orders.needs import EVENTS, ORDERS, STATE_MACHINE
from clickstream.infra.local import roles, stack
from clickstream.infra.local.gate.controls import Controls
from clickstream.infra.local.gate.faults import Fault
from clickstream.platform import DEAD_LETTERS, MODELS, STATE
from clickstream.records.kinesis import list_shards
from clickstream.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

pytestmark = pytest.mark.integration

Call = Callable[[], Any]


@pytest.fixture
def controls(provisioned: Settings, local_aws: stack.Stack) -> Iterator[Controls]:
    yield local_aws.controls
    local_aws.controls.end()


def _refused(call: Call) -> tuple[str, str, int]:
    """Code, message and HTTP status."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response
    return error["Error"]["Code"], error["Error"]["Message"], error["ResponseMetadata"]["HTTPStatusCode"]


def _as(settings: Settings, role: str) -> Clients:
    return Clients(roles.under(settings, role))


def _queue(clients: Clients, settings: Settings) -> str:
    return clients.sqs.get_queue_url(QueueName=DEAD_LETTERS.of(settings))["QueueUrl"]


def _topic(clients: Clients, settings: Settings) -> str:
    return clients.sns.create_topic(Name=ALERTS.of(settings))["TopicArn"]


def _iterator(clients: Clients, settings: Settings) -> str:
    shard = list_shards(clients.kinesis, settings.stream)[0].shard_id
    return clients.kinesis.get_shard_iterator(StreamName=settings.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]


def test_limits_hold_for_every_service_and_for_the_administrator_too(provisioned: Settings) -> None:
    clients = Clients(provisioned)
    url, topic = _queue(clients, provisioned), _topic(clients, provisioned)
    table, bucket = DECISIONS.of(provisioned), STATE.of(provisioned)
    over: dict[str, tuple[Call, str, str]] = {
        "key": (
            lambda: clients.dynamodb.get_item(TableName=table, Key={"event_id": {"S": "k" * 2049}}),
            "ValidationException",
            "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        "item": (
            lambda: clients.dynamodb.put_item(TableName=table, Item={"event_id": {"S": "e"}, "b": {"S": "x" * 409_600}}),
            "ValidationException",
            "Item size has exceeded the maximum allowed size",
        ),
        "updated item": (
            lambda: clients.dynamodb.update_item(
                TableName=table,
                Key={"event_id": {"S": "e"}},
                UpdateExpression="SET b = :b",
                ExpressionAttributeValues={":b": {"S": "x" * 409_600}},
            ),
            "ValidationException",
            "Item size to update has exceeded the maximum allowed size",
        ),
        "subject": (
            lambda: clients.sns.publish(TopicArn=topic, Message="m", Subject="order\n1"),
            "InvalidParameter",
            "Invalid parameter: Subject",
        ),
        "message": (lambda: clients.sns.publish(TopicArn=topic, Message="m" * 262_145), "InvalidParameter", "Message too long"),
        "characters": (
            lambda: clients.sqs.send_message(QueueUrl=url, MessageBody="\0"),
            "InvalidMessageContents",
            "Invalid characters found",
        ),
        "batch": (
            lambda: clients.sqs.send_message_batch(
                QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "m" * 131_073} for n in range(2)]
            ),
            "AWS.SimpleQueueService.BatchRequestTooLong",
            "You have sent 262146 bytes",
        ),
        "object": (
            lambda: clients.s3.put_object(Bucket=bucket, Key="é" * 513, Body=b""),
            "KeyTooLongError",
            "Your key is too long",
        ),
        "payload": (
            lambda: clients.lambda_.invoke(FunctionName="f", InvocationType="Event", Payload=b'"' + b"x" * 1_048_576 + b'"'),
            "RequestTooLargeException",
            "smaller than 1048576 bytes",
        ),
        "input": (
            lambda: clients.stepfunctions.start_execution(
                stateMachineArn="arn:aws:states:us-east-1:000000000000:stateMachine:m", input='"' + "x" * 262_144 + '"'
            ),
            "ValidationException",
            "less than or equal to 262144",
        ),
        "partition key": (
            lambda: clients.kinesis.put_record(StreamName=provisioned.stream, PartitionKey="k" * 257, Data=b"d"),
            "ValidationException",
            "Member must have length less than or equal to 256",
        ),
    }
    for name, (call, code, message) in over.items():
        said = _refused(call)
        assert said[0] == code, name
        assert message in said[1], name


def test_the_values_themselves_are_taken(provisioned: Settings) -> None:
    clients = Clients(provisioned)
    url, topic = _queue(clients, provisioned), _topic(clients, provisioned)
    item = {"event_id": {"S": "k" * 2048}, "b": {"S": "x" * (409_600 - 2048 - 9)}}
    clients.dynamodb.put_item(TableName=DECISIONS.of(provisioned), Item=item)
    clients.sns.publish(TopicArn=topic, Message="m" * 262_144, Subject="S" * 99)
    clients.sqs.send_message(QueueUrl=url, MessageBody="m" * 262_144)
    clients.s3.put_object(Bucket=STATE.of(provisioned), Key="é" * 512, Body=b"b")
    assert clients.s3.get_object(Bucket=STATE.of(provisioned), Key="é" * 512)["Body"].read() == b"b"


def test_a_role_may_do_what_its_policy_allows_and_no_more(provisioned: Settings) -> None:
    s = provisioned
    analytics, collector = _as(s, "analytics"), _as(s, "collector")
    analytics.dynamodb.put_item(TableName=AGGREGATES.of(s), Item={"window": {"S": "w"}, "part": {"S": "p"}})
    analytics.sqs.send_message(QueueUrl=_queue(analytics, s), MessageBody="letter")
    analytics.s3.put_object(Bucket=STATE.of(s), Key="analytics/1", Body=b"b" * 100_000)
    collector.kinesis.put_records(StreamName=s.stream, Records=[{"Data": b"d", "PartitionKey": "k"}])
    who = f"User: arn:aws:sts::000000000000:assumed-role/{s.name}-analytics/analytics is not authorized to perform: "
    for call, code, status, message in (
        (
            lambda: analytics.dynamodb.get_item(TableName=DECISIONS.of(s), Key={"event_id": {"S": "e"}}),
            "AccessDeniedException",
            400,
            f"{who}dynamodb:GetItem on resource: arn:aws:dynamodb:us-east-1:000000000000:table/{DECISIONS.of(s)} because no "
            "identity-based policy allows the dynamodb:GetItem action",
        ),
        (
            lambda: analytics.s3.put_object(Bucket=STATE.of(s), Key="fraud/1", Body=b"b" * 100_000),
            "AccessDenied",
            403,
            f'{who}s3:PutObject on resource: "arn:aws:s3:::{STATE.of(s)}/fraud/1" because',
        ),
        (
            lambda: analytics.sns.create_topic(Name=ALERTS.of(s)),
            "AuthorizationError",
            403,
            f"{who}SNS:CreateTopic on resource: arn:aws:sns:us-east-1:000000000000:{ALERTS.of(s)} because",
        ),
        (
            lambda: analytics.sqs.receive_message(QueueUrl=_queue(analytics, s)),
            "AccessDenied",
            403,
            f"{who}sqs:receivemessage on resource: arn:aws:sqs:us-east-1:000000000000:{DEAD_LETTERS.of(s)} because",
        ),
        (
            lambda: analytics.kinesis.put_record(StreamName=s.stream, PartitionKey="k", Data=b"d"),
            "AccessDeniedException",
            400,
            f"{who}kinesis:PutRecord on resource: arn:aws:kinesis:us-east-1:000000000000:stream/{s.stream} because",
        ),
        (
            lambda: collector.kinesis.get_records(ShardIterator=_iterator(analytics, s)),
            "AccessDeniedException",
            400,
            "collector is not authorized to perform: kinesis:GetRecords on resource: "
            f"arn:aws:kinesis:us-east-1:000000000000:stream/{s.stream} because",
        ),
        (
            lambda: analytics.stepfunctions.start_execution(
                stateMachineArn=f"arn:aws:states:us-east-1:000000000000:stateMachine:{STATE_MACHINE.of(s)}"
            ),
            "AccessDeniedException",
            400,
            f"{who}states:StartExecution on resource: arn:aws:states:us-east-1:000000000000:stateMachine:",
        ),
        (
            lambda: analytics.lambda_.invoke(FunctionName="f"),
            "AccessDeniedException",
            403,
            f"{who}lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:f because",
        ),
    ):
        said = _refused(call)
        assert (said[0], said[2]) == (code, status), said
        assert message in said[1]


def test_what_was_denied_is_told_by_deployment(provisioned: Settings, local_aws: stack.Stack) -> None:
    s = provisioned
    assert local_aws.controls.denied(s.name) == []
    _refused(lambda: _as(s, "collector").kinesis.list_streams())
    _refused(lambda: _as(s, "collector").sqs.get_queue_url(QueueName=DEAD_LETTERS.of(s)))
    key = roles.access_key(s.name, "collector")
    assert local_aws.controls.denied(s.name) == [
        f"{key} sqs:GetQueueUrl sqs:{DEAD_LETTERS.of(s)}",
        f"{key} kinesis:ListStreams *",
    ]


def test_of_a_transaction_and_a_batch_every_table_must_be_allowed(provisioned: Settings) -> None:
    s = provisioned
    fraud = _as(s, "fraud")
    mine: TransactWriteItemTypeDef = {"Put": {"TableName": DECISIONS.of(s), "Item": {"event_id": {"S": "e"}}}}
    other: TransactWriteItemTypeDef = {
        "Put": {"TableName": AGGREGATES.of(s), "Item": {"window": {"S": "w"}, "part": {"S": "p"}}}
    }
    fraud.dynamodb.transact_write_items(TransactItems=[mine])
    said = _refused(lambda: fraud.dynamodb.transact_write_items(TransactItems=[mine, other]))
    assert said[0] == "AccessDeniedException"
    assert f"dynamodb:PutItem on resource: arn:aws:dynamodb:us-east-1:000000000000:table/{AGGREGATES.of(s)}" in said[1]


def test_what_is_not_in_a_bucket_is_told_to_those_who_may_list_it(provisioned: Settings) -> None:
    s = provisioned
    # fraud may list the models, and serving may read nothing of the state
    assert _refused(lambda: _as(s, "fraud").s3.get_object(Bucket=MODELS.of(s), Key="models/fraud/x"))[0] == "NoSuchKey"
    serving, key = _as(s, "serving"), "dead-letters/fraud/1"
    code, _, status = _refused(lambda: serving.s3.get_object(Bucket=STATE.of(s), Key=key))
    assert (code, status) == ("AccessDenied", 403)
    assert _refused(lambda: serving.s3.head_object(Bucket=STATE.of(s), Key=key))[0] == "403"


def test_a_key_of_no_role_is_unknown(provisioned: Settings) -> None:
    nobody = _as(provisioned, "nobody")
    assert _refused(lambda: nobody.dynamodb.list_tables())[0] == "UnrecognizedClientException"
    assert _refused(lambda: nobody.kinesis.list_streams())[0] == "UnrecognizedClientException"
    assert _refused(lambda: nobody.sqs.list_queues())[0] == "InvalidClientTokenId"
    assert _refused(lambda: nobody.s3.list_buckets())[0] == "InvalidAccessKeyId"


def test_a_lambda_function_signs_with_the_key_of_its_own_role(provisioned: Settings) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("f.py", "import os\n\n\ndef key(event, context):\n    return os.environ['AWS_ACCESS_KEY_ID']\n")
    name = f"{provisioned.name}-order-task"
    client = Clients(provisioned).lambda_
    client.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role="arn:aws:iam::000000000000:role/r",
        Handler="f.key",
        Code={"ZipFile": code.getvalue()},
    )
    assert json.load(client.invoke(FunctionName=name)["Payload"]) == roles.access_key(provisioned.name, "order-task")


def test_a_permission_is_taken_away_and_given_back_for_one_role_of_one_deployment(
    provisioned: Settings, controls: Controls
) -> None:
    s = provisioned
    fraud, analytics = _as(s, "fraud"), _as(s, "analytics")

    def put(clients: Clients, key: str) -> None:
        clients.s3.put_object(Bucket=STATE.of(s), Key=key, Body=b"b")

    taken = Fault("denied", who=roles.access_key(s.name, "fraud"), action="s3:PutObject")
    with controls.during(taken):
        code, message, _ = _refused(lambda: put(fraud, "fraud/1"))
        assert code == "AccessDenied"
        assert "with an explicit deny in an identity-based policy" in message
        put(analytics, "analytics/1")
        assert controls.active() == [taken]
    put(fraud, "fraud/1")
    assert controls.active() == []


CODES = {
    "kms": {
        "dynamodb": "KMSDisabledException",
        "kinesis": "KMSDisabledException",
        "s3": "KMS.DisabledException",
        "sns": "KMSDisabled",
        "sqs": "KMS.DisabledException",
    },
    "expired": {
        "dynamodb": "ExpiredTokenException",
        "kinesis": "ExpiredTokenException",
        "s3": "ExpiredToken",
        "sns": "ExpiredToken",
        "sqs": "ExpiredToken",
    },
    "skewed": {
        "dynamodb": "InvalidSignatureException",
        "kinesis": "InvalidSignatureException",
        "s3": "RequestTimeTooSkewed",
        "sns": "SignatureDoesNotMatch",
        "sqs": "SignatureDoesNotMatch",
    },
}


@pytest.mark.parametrize("kind", CODES)
def test_keys_and_credentials_fail_in_each_services_words_and_come_back(
    kind: Any, provisioned: Settings, controls: Controls
) -> None:
    s = provisioned
    fraud = _as(s, "fraud")
    url, topic, iterator = _queue(fraud, s), _topic(fraud, s), _iterator(fraud, s)
    calls: dict[str, Call] = {
        "dynamodb": lambda: fraud.dynamodb.put_item(TableName=DECISIONS.of(s), Item={"event_id": {"S": "e"}}),
        "kinesis": lambda: fraud.kinesis.get_records(ShardIterator=iterator),
        "s3": lambda: fraud.s3.put_object(Bucket=STATE.of(s), Key="fraud/1", Body=b"b"),
        "sns": lambda: fraud.sns.publish(TopicArn=topic, Message="m"),
        "sqs": lambda: fraud.sqs.send_message(QueueUrl=url, MessageBody="m"),
    }
    with controls.during(Fault(kind, who=roles.access_key(s.name, "*"))):
        assert {service: _refused(call)[0] for service, call in calls.items()} == CODES[kind]
        Clients(s).dynamodb.get_item(TableName=DECISIONS.of(s), Key={"event_id": {"S": "e"}})
    for call in calls.values():
        call()


def test_one_item_is_never_taken_while_all_others_are(provisioned: Settings, controls: Controls) -> None:
    s = provisioned
    orders = _as(s, "orders")
    topic = orders.sns.create_topic(Name=EVENTS.of(s))["TopicArn"]
    poisoned = Fault("final", who=roles.access_key(s.name, "*"), value="order-13")

    def put(order: str) -> None:
        orders.dynamodb.put_item(TableName=ORDERS.of(s), Item={"order_id": {"S": order}})

    with controls.during(poisoned):
        put("order-12")
        assert _refused(lambda: put("order-13"))[0] == "ValidationException"
        assert _refused(lambda: orders.sns.publish(TopicArn=topic, Message='{"order":"order-13"}'))[0] == "InvalidParameter"
        orders.sns.publish(TopicArn=topic, Message='{"order":"order-14"}')

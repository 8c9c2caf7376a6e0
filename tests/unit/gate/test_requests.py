"""The wire as boto3 sends it becomes the parameters that boto3 was given: told by boto3's own serializers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from clickstream.infra.local.gate import requests
from clickstream.infra.local.gate.requests import Caller, Request

NAMES = {"stepfunctions": "states"}


class _Sent(Exception):
    """The request that would have been sent."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__()
        self.request = request


def parsed(service: str, operation: str, **given: Any) -> Request:
    client: Any = boto3.client(  # type: ignore[call-overload]  # any service
        service,
        region_name="eu-west-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="shop.fraud",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )

    def caught(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        raise _Sent(request)

    client.meta.events.register("before-send.*.*", caught)
    with pytest.raises(_Sent) as sent:
        getattr(client, operation)(**given)
    request = sent.value.request
    headers: Mapping[str, str] = {
        name.lower(): value if isinstance(value, str) else value.decode() for name, value in request.headers.items()
    }
    who = requests.caller(headers["authorization"])
    assert who == Caller("shop.fraud", "eu-west-1", service)
    url = urlsplit(request.url)
    body: Any = request.body or b""
    body = body.encode() if isinstance(body, str) else body.read() if hasattr(body, "read") else body
    read = requests.parse(who, request.method, url.path, url.query, headers, body)
    assert isinstance(read, Request)
    return read


@pytest.mark.parametrize(
    ("service", "method", "operation", "given"),
    [
        ("dynamodb", "get_item", "GetItem", {"TableName": "t", "Key": {"a": {"S": "é"}}}),
        ("sqs", "send_message", "SendMessage", {"QueueUrl": "http://q/0/n", "MessageBody": "m\x07&"}),
        ("sqs", "get_queue_url", "GetQueueUrl", {"QueueName": "n"}),
        ("sns", "create_topic", "CreateTopic", {"Name": "n"}),
        ("sns", "publish", "Publish", {"TopicArn": "a", "Message": "m&+ é", "Subject": "s"}),
        (
            "sns",
            "publish",
            "Publish",
            {
                "TopicArn": "a",
                "Message": "m",
                "MessageAttributes": {
                    "step": {"DataType": "String", "StringValue": ""},
                    "x": {"DataType": "String", "StringValue": "y"},
                },
            },
        ),
        ("stepfunctions", "start_execution", "StartExecution", {"stateMachineArn": "a", "name": "n", "input": "{}"}),
        ("s3", "get_object", "GetObject", {"Bucket": "b", "Key": "a/é %/c"}),
        ("s3", "head_object", "HeadObject", {"Bucket": "b", "Key": "k"}),
        ("s3", "delete_object", "DeleteObject", {"Bucket": "b", "Key": "k"}),
    ],
)
def test_parameters_are_read_as_they_were_given(service: str, method: str, operation: str, given: dict[str, Any]) -> None:
    read = parsed(service, method, **given)
    assert read.operation == operation
    assert {name: value for name, value in read.parameters.items() if name != "Version"} == given


def test_a_batch_on_a_topic_and_objects_to_delete_are_lists() -> None:
    batch = [{"Id": "1", "Message": "m"}, {"Id": "2", "Message": "n", "Subject": "s"}]
    assert parsed("sns", "publish_batch", TopicArn="a", PublishBatchRequestEntries=batch).parameters == {
        "TopicArn": "a",
        "PublishBatchRequestEntries": batch,
    }
    keys = {"Objects": [{"Key": "a/<&>"}, {"Key": "b"}]}
    read = parsed("s3", "delete_objects", Bucket="b", Delete=keys)
    assert (read.operation, read.parameters["Delete"]) == ("DeleteObjects", keys)


def test_a_bucket_and_a_function_are_named_by_the_path() -> None:
    assert parsed("s3", "list_objects_v2", Bucket="b", Prefix="p/")[1:] == ("ListObjectsV2", {"Bucket": "b"})
    read = parsed("lambda", "invoke", FunctionName="f", InvocationType="Event", Payload=b"{}")
    assert read[1:] == ("Invoke", {"FunctionName": "f", "InvocationType": "Event", "Payload": b"{}"})


def test_a_request_that_is_not_signed_has_no_caller() -> None:
    assert requests.caller("") is None
    assert requests.caller("Bearer x") is None

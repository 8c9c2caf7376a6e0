"""Enhanced fan-out's control plane: register, describe, list, deregister."""

from __future__ import annotations

import pytest

from tests.contract.conftest import NewStream
from tests.contract.target import Target, until

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def arn(kinesis: Target, new_stream: NewStream) -> str:
    summary = kinesis.client.describe_stream_summary(StreamName=new_stream(1))
    return summary["StreamDescriptionSummary"]["StreamARN"]


def register(kinesis: Target, arn: str, name: str) -> str:
    """The ARN of a new consumer that is ACTIVE."""
    consumer = kinesis.client.register_stream_consumer(StreamARN=arn, ConsumerName=name)["Consumer"]
    assert consumer["ConsumerName"] == name

    def active() -> bool:
        answer = kinesis.client.describe_stream_consumer(ConsumerARN=consumer["ConsumerARN"])
        return answer["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE"

    until(active, f"{name} to become ACTIVE")
    return consumer["ConsumerARN"]


def deregister(kinesis: Target, consumer: str) -> None:
    kinesis.client.deregister_stream_consumer(ConsumerARN=consumer)

    def gone() -> bool:
        return kinesis.refusal("describe_stream_consumer", ConsumerARN=consumer) == "ResourceNotFoundException"

    until(gone, f"{consumer} to go")


def test_life(kinesis: Target, arn: str) -> None:
    consumer = register(kinesis, arn, "analytics")

    assert consumer.startswith(f"{arn}/consumer/analytics:")
    by_name = kinesis.client.describe_stream_consumer(StreamARN=arn, ConsumerName="analytics")["ConsumerDescription"]
    assert (by_name["ConsumerARN"], by_name["StreamARN"]) == (consumer, arn)
    summary = kinesis.client.describe_stream_summary(StreamARN=arn)["StreamDescriptionSummary"]
    assert summary["ConsumerCount"] == 1
    again = kinesis.refusal("register_stream_consumer", StreamARN=arn, ConsumerName="analytics")
    assert again == "ResourceInUseException"
    deregister(kinesis, consumer)
    assert kinesis.client.list_stream_consumers(StreamARN=arn)["Consumers"] == []


def test_list_in_pages(kinesis: Target, arn: str) -> None:
    consumers = [register(kinesis, arn, f"reader-{index}") for index in range(3)]

    pages = [kinesis.client.list_stream_consumers(StreamARN=arn, MaxResults=2)]
    kinesis.observe("list-consumers.token", "NextToken" in pages[0], True)
    if "NextToken" in pages[0]:
        token = pages[0]["NextToken"]
        pages.append(kinesis.client.list_stream_consumers(StreamARN=arn, MaxResults=2, NextToken=token))
        assert [len(page["Consumers"]) for page in pages] == [2, 1]
        assert "NextToken" not in pages[1]
        listed = {consumer["ConsumerARN"] for page in pages for consumer in page["Consumers"]}
        assert listed == set(consumers)
    for consumer in consumers:
        deregister(kinesis, consumer)


def test_unknown(kinesis: Target, arn: str) -> None:
    by_name = kinesis.refusal("describe_stream_consumer", StreamARN=arn, ConsumerName="nobody")
    assert by_name == "ResourceNotFoundException"
    away = kinesis.refusal("deregister_stream_consumer", StreamARN=arn, ConsumerName="nobody")
    assert away == "ResourceNotFoundException"
    stranger = kinesis.refusal("register_stream_consumer", StreamARN=f"{arn}-other", ConsumerName="a")
    assert stranger == "ResourceNotFoundException"


def test_a_stream_with_consumers_is_kept(kinesis: Target) -> None:
    stream = kinesis.create(1)
    summary = kinesis.client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    register(kinesis, summary["StreamARN"], "reader")

    assert kinesis.refusal("delete_stream", StreamName=stream) == "ResourceInUseException"
    forced = kinesis.refusal("delete_stream", StreamName=stream, EnforceConsumerDeletion=True)
    kinesis.observe("delete.refused-for-consumers-then-forced", forced, None)

"""What SNS takes, whatever a client's ids hold (its documented rules, written down here once more)."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.aws.topics import Topic, attribute, body, subject
from clickstream.errors import RetryLater, Unwritable
from clickstream.failures.fan_out import raise_gravest
from clickstream.settings import Settings

#: "ASCII text that begins with a letter, number, or punctuation mark; no line breaks or control characters; less than 100".
SUBJECT = re.compile(r"[!-~][ -~]{0,98}")
#: "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
LEGAL = re.compile("[\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(texts)
@example("")
@example(" \n x")
@example("x" * 100)
@example("block: order a\r\nb")
def test_a_subject_is_one(text: str) -> None:
    assert SUBJECT.fullmatch(subject(text))


@given(texts)
@example("")
@example("\uffff\x00")
def test_an_attribute_and_a_body_are_of_legal_characters(text: str) -> None:
    assert LEGAL.fullmatch(attribute(text))
    told = body(msgspec.json.encode({"order_id": text}))
    assert LEGAL.fullmatch(told)
    assert json.loads(told) == {"order_id": text}


@pytest.mark.parametrize("order_id", ["a\nb", "x" * 100, "\U0001f600" * 128, "\uffff"])
def test_a_message_arrives(order_id: str) -> None:
    with mock_aws():
        clients = Clients(Settings())
        url = clients.sqs.create_queue(QueueName="q")["QueueUrl"]
        arn = clients.sns.create_topic(Name="t")["TopicArn"]
        clients.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{Settings().region}:123456789012:q")
        Topic(clients.sns, "t").publish(b"{}", {"id": order_id, "empty": ""}, title=f"block: order {order_id}")
        assert "Messages" in clients.sqs.receive_message(QueueUrl=url)


def test_what_passes_later_goes_before_what_never_will_and_a_bug_before_both() -> None:
    later, never, bug = RetryLater("later"), Unwritable("never"), KeyError("bug")
    for failures, gravest in (([never, None, later], later), ([never, later, bug], bug), ([None, never], never)):
        with pytest.raises(type(gravest)):
            raise_gravest(failures)
    raise_gravest([None, None])

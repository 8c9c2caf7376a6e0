"""Each limit against its documented value: at the value, and one over. The numbers are AWS's, written out here again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clickstream.infra.local.limits import requests as limits
from clickstream.infra.local.limits.dynamodb import too_large
from clickstream.infra.local.limits.items import item_size
from clickstream.infra.local.limits.refusal import Refusal

KEYS = {"shards": ("application", "shard"), "decisions": ("event_id",)}


def refused(service: str, operation: str, **parameters: Any) -> Refusal | None:
    return limits.refusal(service, operation, parameters, lambda table: KEYS.get(table, ()))


def _put(item: dict[str, Any], table: str = "decisions") -> Refusal | None:
    return refused("dynamodb", "PutItem", TableName=table, Item=item)


def _key(pk: str, sk: str = "s") -> dict[str, Any]:
    return {"application": {"S": pk}, "shard": {"S": sk}}


def _filled(size: int) -> dict[str, Any]:
    """An item of exactly so many bytes: 8 + 1 for its key, 1 for the other name."""
    return {"event_id": {"S": "e"}, "b": {"S": "x" * (size - 10)}}


def _writes(count: int) -> dict[str, Any]:
    return {"decisions": [{"PutRequest": {"Item": {"event_id": {"S": str(n)}}}} for n in range(count)]}


def _gets(count: int) -> dict[str, Any]:
    return {"decisions": {"Keys": [{"event_id": {"S": str(n)}} for n in range(count)]}}


def _transaction(*items: dict[str, Any]) -> Refusal | None:
    return refused(
        "dynamodb", "TransactWriteItems", TransactItems=[{"Put": {"TableName": "decisions", "Item": item}} for item in items]
    )


def _large(n: int, size: int) -> dict[str, Any]:
    return {"event_id": {"S": f"{n:02d}"}, "b": {"S": "x" * (size - 11)}}


def _number(text: str) -> Refusal | None:
    return _put({"event_id": {"S": "e"}, "n": {"N": text}})


def _nested(levels: int) -> Refusal | None:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"L": [value]}
    return _put({"event_id": {"S": "e"}, "v": value})


def _update(expression: str) -> Refusal | None:
    return refused("dynamodb", "UpdateItem", TableName="decisions", Key={"event_id": {"S": "e"}}, UpdateExpression=expression)


def _publish(message: str = "m", **more: Any) -> Refusal | None:
    return refused("sns", "Publish", TopicArn="arn", Message=message, **more)


def _send(body: str, **more: Any) -> Refusal | None:
    return refused("sqs", "SendMessage", QueueUrl="u", MessageBody=body, **more)


def _batch(*bodies: str) -> Refusal | None:
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
    return refused("sqs", "SendMessageBatch", QueueUrl="u", Entries=entries)


AT_AND_OVER: dict[str, tuple[Callable[[], Refusal | None], Callable[[], Refusal | None], str, str]] = {
    "partition key of 2,048 bytes": (
        lambda: refused("dynamodb", "GetItem", TableName="shards", Key=_key("k" * 2048)),
        lambda: refused("dynamodb", "GetItem", TableName="shards", Key=_key("k" * 2049)),
        "ValidationException",
        "Size of hashkey has exceeded the maximum size limit of2048 bytes",
    ),
    "sort key of 1,024 bytes": (
        lambda: _put(_key("k", "s" * 1024), "shards"),
        lambda: _put(_key("k", "s" * 1025), "shards"),
        "ValidationException",
        "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
    ),
    "sort key in bytes, not characters": (
        lambda: _put(_key("k", "\U0001f600" * 256), "shards"),
        lambda: _put(_key("k", "\U0001f600" * 256 + "a"), "shards"),
        "ValidationException",
        "Aggregated size of all range keys",
    ),
    "key that is not empty": (
        lambda: refused("dynamodb", "UpdateItem", TableName="decisions", Key={"event_id": {"S": "e"}}),
        lambda: refused("dynamodb", "UpdateItem", TableName="decisions", Key={"event_id": {"S": ""}}),
        "ValidationException",
        "cannot contain an empty string value. Key: event_id",
    ),
    "item of 400 KB": (
        lambda: _put(_filled(409_600)),
        lambda: _put(_filled(409_601)),
        "ValidationException",
        "Item size has exceeded the maximum allowed size",
    ),
    "updated item of 400 KB": (
        lambda: too_large("UpdateItem", _filled(409_600)),
        lambda: too_large("UpdateItem", _filled(409_601)),
        "ValidationException",
        "Item size to update has exceeded the maximum allowed size",
    ),
    "batch of 25 writes": (
        lambda: refused("dynamodb", "BatchWriteItem", RequestItems=_writes(25)),
        lambda: refused("dynamodb", "BatchWriteItem", RequestItems=_writes(26)),
        "ValidationException",
        "Too many items requested for the BatchWriteItem call",
    ),
    "batch of 100 keys": (
        lambda: refused("dynamodb", "BatchGetItem", RequestItems=_gets(100)),
        lambda: refused("dynamodb", "BatchGetItem", RequestItems=_gets(101)),
        "ValidationException",
        "Too many items requested for the BatchGetItem call",
    ),
    "transaction of 100 items": (
        lambda: _transaction(*({"event_id": {"S": str(n)}} for n in range(100))),
        lambda: _transaction(*({"event_id": {"S": str(n)}} for n in range(101))),
        "ValidationException",
        "Member must have length less than or equal to 100",
    ),
    "transaction of 4 MB": (
        lambda: _transaction(*(_large(n, 262_144) for n in range(16))),
        lambda: _transaction(*(_large(n, 262_144) for n in range(15)), _large(15, 262_145)),
        "ValidationException",
        "4 MB",
    ),
    "one operation per item in a transaction": (
        lambda: _transaction({"event_id": {"S": "a"}}, {"event_id": {"S": "b"}}),
        lambda: _transaction({"event_id": {"S": "a"}}, {"event_id": {"S": "a"}}),
        "ValidationException",
        "Transaction request cannot include multiple operations on one item",
    ),
    "expression of 4 KB": (
        lambda: _update("SET a = " + "b" * 4088),
        lambda: _update("SET a = " + "b" * 4089),
        "ValidationException",
        "Invalid UpdateExpression: Expression size has exceeded the maximum allowed size; expression size: 4097",
    ),
    "number of 38 digits": (
        lambda: _number("1" * 38),
        lambda: _number("1" * 39),
        "ValidationException",
        "more than 38 significant digits",
    ),
    "number below 10^126": (lambda: _number("9.9E125"), lambda: _number("1E126"), "ValidationException", "Number overflow"),
    "number from 10^-130": (lambda: _number("1E-130"), lambda: _number("9E-131"), "ValidationException", "Number underflow"),
    "32 levels": (lambda: _nested(32), lambda: _nested(33), "ValidationException", "Nesting Levels"),
    "message of 256 KiB on a topic": (
        lambda: _publish("m" * 262_144),
        lambda: _publish("m" * 262_145),
        "InvalidParameter",
        "Invalid parameter: Message too long",
    ),
    "attributes count in a message": (
        lambda: _publish("m" * (262_144 - 14), MessageAttributes={"step": {"DataType": "String", "StringValue": "done"}}),
        lambda: _publish("m" * (262_144 - 13), MessageAttributes={"step": {"DataType": "String", "StringValue": "done"}}),
        "InvalidParameter",
        "Message too long",
    ),
    "subject of 99 characters": (
        lambda: _publish(Subject="s" * 99),
        lambda: _publish(Subject="s" * 100),
        "InvalidParameter",
        "Invalid parameter: Subject",
    ),
    "deduplication id of 128": (
        lambda: _publish(MessageDeduplicationId="d" * 128),
        lambda: _publish(MessageDeduplicationId="d" * 129),
        "InvalidParameter",
        "MessageDeduplicationId",
    ),
    "message of 256 KiB in a queue": (
        lambda: _send("é" * 131_072),
        lambda: _send("é" * 131_072 + "e"),
        "InvalidParameterValue",
        "Message must be shorter than 262144 bytes",
    ),
    "batch of 256 KiB": (
        lambda: _batch("m" * 131_072, "m" * 131_072),
        lambda: _batch("m" * 131_072, "m" * 131_073),
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "You have sent 262145 bytes",
    ),
    "batch of 10 messages": (
        lambda: _batch(*"0123456789"),
        lambda: _batch(*"0123456789a"),
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "You have sent 11",
    ),
    "object key of 1,024 bytes": (
        lambda: refused("s3", "PutObject", Bucket="b", Key="é" * 512),
        lambda: refused("s3", "PutObject", Bucket="b", Key="é" * 512 + "e"),
        "KeyTooLongError",
        "Your key is too long",
    ),
    "payload of 6 MB, answered": (
        lambda: refused("lambda", "Invoke", Payload=b"p" * 6_291_456),
        lambda: refused("lambda", "Invoke", Payload=b"p" * 6_291_457),
        "RequestTooLargeException",
        "smaller than 6291456 bytes",
    ),
    "payload of 1 MB, queued": (
        lambda: refused("lambda", "Invoke", Payload=b"p" * 1_048_576, InvocationType="Event"),
        lambda: refused("lambda", "Invoke", Payload=b"p" * 1_048_577, InvocationType="Event"),
        "RequestTooLargeException",
        "smaller than 1048576 bytes",
    ),
    "input of 256 KiB": (
        lambda: refused("stepfunctions", "StartExecution", input="é" * 131_072),
        lambda: refused("stepfunctions", "StartExecution", input="é" * 131_072 + "e"),
        "ValidationException",
        "less than or equal to 262144",
    ),
    "execution name of 80 characters": (
        lambda: refused("stepfunctions", "StartExecution", name="n" * 80),
        lambda: refused("stepfunctions", "StartExecution", name="n" * 81),
        "InvalidName",
        "Invalid Name",
    ),
}


@pytest.mark.parametrize("name", AT_AND_OVER)
def test_the_value_itself_is_taken_and_one_more_is_refused(name: str) -> None:
    at, over, code, message = AT_AND_OVER[name]
    assert at() is None
    said = over()
    assert said is not None
    assert said.code == code
    assert message in said.message


@pytest.mark.parametrize("subject", ["", " begins with a blank", "a\nb", "a\x7f", "a\tb", "naïve", "\u202eright"])
def test_a_subject_is_one_line_of_ascii_that_begins_with_something_visible(subject: str) -> None:
    said = _publish(Subject=subject)
    assert said is not None
    assert (said.code, said.message) == ("InvalidParameter", "Invalid parameter: Subject")


@pytest.mark.parametrize("subject", ["Order o-1", "1 order", "«".encode("ascii", "ignore").decode() + "!", "(x) ~"])
def test_a_subject_of_letters_numbers_and_punctuation_is_taken(subject: str) -> None:
    assert _publish(Subject=subject) is None


@pytest.mark.parametrize("illegal", ["\0", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_no_queue_holds(illegal: str) -> None:
    for said in (_send(f"a{illegal}b"), _batch("fine", illegal)):
        assert said is not None
        assert said.code == "InvalidMessageContents"


def test_what_xml_can_hold_is_taken() -> None:
    assert _send("\t\n\r \x7f\x85\ud7ff\ue000\ufffd\U00010000\U0010ffff") is None


def test_a_batch_is_not_empty_and_names_each_message_once() -> None:
    empty, twice = _batch(), refused("sqs", "DeleteMessageBatch", Entries=[{"Id": "1"}, {"Id": "1"}])
    assert (empty and empty.code) == "AWS.SimpleQueueService.EmptyBatchRequest"
    assert (twice and twice.code) == "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"


def test_a_batch_of_16_mb_is_taken_if_its_items_are() -> None:
    # 25 items of 400 KB stay below 16 MB, so no batch of items that are taken is refused for its size
    items = [{"PutRequest": {"Item": _large(n, 409_600)}} for n in range(25)]
    assert refused("dynamodb", "BatchWriteItem", RequestItems={"decisions": items}) is None


@pytest.mark.parametrize("operation", ["BatchWriteItem", "BatchGetItem"])
def test_a_batch_names_each_item_once(operation: str) -> None:
    key = {"event_id": {"S": "e"}}
    requests = {
        "BatchWriteItem": [{"PutRequest": {"Item": key}}, {"DeleteRequest": {"Key": key}}],
        "BatchGetItem": {"Keys": [key, key]},
    }
    said = refused("dynamodb", operation, RequestItems={"decisions": requests[operation]})
    assert said is not None
    assert said.message == "Provided list of item keys contains duplicates"


def test_empty_sets_duplicates_and_what_is_no_number_are_refused() -> None:
    for value, message in (
        ({"SS": []}, "may not be empty"),
        ({"NS": ["1", "1"]}, "contains duplicates"),
        ({"N": "abc"}, "cannot be converted to a numeric value: abc"),
        ({"N": "NaN"}, "cannot be converted"),
        ({"M": {"deep": {"L": [{"N": "Infinity"}]}}}, "cannot be converted"),
    ):
        said = _put({"event_id": {"S": "e"}, "v": value})
        assert said is not None
        assert message in said.message


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"a": {"S": "é"}}, 3),
        ({"a": {"N": "0"}}, 1 + 1),
        ({"a": {"N": "123456"}}, 1 + 4),
        ({"a": {"N": "-1200"}}, 1 + 3),
        ({"a": {"BOOL": True}, "b": {"NULL": True}}, 4),
        ({"a": {"B": b"abc"}}, 4),
        ({"a": {"B": "YWJj"}}, 4),
        ({"a": {"SS": ["ab", "c"]}}, 4),
        ({"a": {"L": [{"S": "b"}]}}, 1 + 3 + 1 + 1),
        ({"a": {"M": {"b": {"S": "c"}}}}, 1 + 3 + 1 + 2),
    ],
)
def test_an_items_size_follows_dynamodbs_rule(item: dict[str, Any], size: int) -> None:
    assert item_size(item) == size

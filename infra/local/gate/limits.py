"""AWS's documented limits: a request in, None or AWS's own refusal out. Pure, and nothing but the standard library.

Requests are spoken as to a boto3 client: the service's boto3 name, the operation as in the API (``PutItem``), and the client's
keyword arguments. The simulator's stores call :func:`refusal` with what they were given; the gate parses the wire into that.

Kinesis is not here: :mod:`infra.local.kinesis` is a model of the service and refuses by itself, in the simulator too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from infra.local.gate import item_limits
from infra.local.gate.item_limits import KIB, Keys
from infra.local.gate.refusal import Refusal, validation

SNS_MESSAGE_BYTES = 256 * KIB
SNS_SUBJECT_CHARACTERS = 100
"""A Subject is shorter than this."""
SNS_BATCH = 10
#: SQS took 256 KiB until August 2025 and takes 1 MiB since. The stricter value: what a queue behind an SNS topic gets is bound
#: by SNS's 256 KiB, and a queue may have been made with the older MaximumMessageSize.
SQS_MESSAGE_BYTES = 256 * KIB
SQS_BATCH = 10
#: Of FIFO topics and queues: alphanumeric characters and punctuation.
FIFO_ID_CHARACTERS = 128
S3_KEY_BYTES = 1024
LAMBDA_SYNC_BYTES = 6 * KIB * KIB
#: 256 KB until October 2025.
LAMBDA_ASYNC_BYTES = KIB * KIB
STATES_INPUT_BYTES = 256 * KIB
STATES_NAME_CHARACTERS = 80

_XML_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUBJECT = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~][ -~]*")
_FIFO_ID = re.compile(r"[!-~]+")
_STATES_NAME_ILLEGAL = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")


def no_keys(_table: str) -> tuple[str, ...]:
    """For callers that know no table's keys: key sizes are not judged then."""
    return ()


def refusal(service: str, operation: str, parameters: Mapping[str, Any], keys: Keys = no_keys) -> Refusal | None:
    """AWS's answer to a request beyond a limit, or None. ``keys``: table name → key attributes, the partition key first."""
    match service:
        case "dynamodb":
            return item_limits.refusal(operation, parameters, keys)
        case "sns":
            return _sns(operation, parameters)
        case "sqs":
            return _sqs(operation, parameters)
        case "s3":
            return _s3(parameters)
        case "lambda":
            return _lambda(operation, parameters)
        case "stepfunctions":
            return _states(operation, parameters)
    return None


def _bytes(text: str | bytes) -> int:
    return len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))


def _attributes_size(attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """Names, types and values all count."""
    return sum(
        _bytes(name) + _bytes(each.get("DataType", "")) + _bytes(each.get("StringValue", "") or each.get("BinaryValue", b""))
        for name, each in attributes.items()
    )


# SNS


def _sns(operation: str, parameters: Mapping[str, Any]) -> Refusal | None:
    if operation == "Publish":
        if _sns_size(parameters) > SNS_MESSAGE_BYTES:
            return Refusal("InvalidParameter", "Invalid parameter: Message too long")
        return _sns_entry(parameters)
    if operation != "PublishBatch":
        return None
    entries = parameters["PublishBatchRequestEntries"]
    if not 1 <= len(entries) <= SNS_BATCH:
        return Refusal("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
    if sum(map(_sns_size, entries)) > SNS_MESSAGE_BYTES:
        return Refusal("BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
    return next(filter(None, map(_sns_entry, entries)), None)


def _sns_size(entry: Mapping[str, Any]) -> int:
    return _bytes(entry["Message"]) + _attributes_size(entry.get("MessageAttributes", {}))


def _sns_entry(entry: Mapping[str, Any]) -> Refusal | None:
    if not entry["Message"]:
        return Refusal("InvalidParameter", "Invalid parameter: Empty message")
    subject = entry.get("Subject")
    if subject is not None and not (_SUBJECT.fullmatch(subject) and len(subject) < SNS_SUBJECT_CHARACTERS):
        return Refusal("InvalidParameter", "Invalid parameter: Subject")
    for name, attribute in entry.get("MessageAttributes", {}).items():
        if not (attribute.get("StringValue") or attribute.get("BinaryValue")):
            return Refusal(
                "ParameterValueInvalid",
                f"The message attribute '{name}' must contain non-empty message attribute value for message attribute type "
                f"'{attribute.get('DataType', '')}'.",
            )
    for member in ("MessageGroupId", "MessageDeduplicationId"):
        value = entry.get(member)
        if value is not None and not (_FIFO_ID.fullmatch(value) and len(value) <= FIFO_ID_CHARACTERS):
            return Refusal(
                "InvalidParameter",
                f"Invalid parameter: {member} Reason: {member} can only include alphanumeric and punctuation characters. "
                f"1 to {FIFO_ID_CHARACTERS} in length",
            )
    return None


# SQS


def _sqs(operation: str, parameters: Mapping[str, Any]) -> Refusal | None:
    if operation == "SendMessage":
        if _sqs_size(parameters) > SQS_MESSAGE_BYTES:
            return Refusal(
                "InvalidParameterValue",
                f"One or more parameters are invalid. Reason: Message must be shorter than {SQS_MESSAGE_BYTES} bytes.",
            )
        return _sqs_entry(parameters)
    if not operation.endswith("Batch"):
        return None
    entries = parameters["Entries"]
    if not entries:
        return _sqs_batch("EmptyBatchRequest", f"There should be at least one {operation}RequestEntry in the request.")
    if len(entries) > SQS_BATCH:
        return _sqs_batch(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {SQS_BATCH}. You have sent {len(entries)}.",
        )
    ids = [entry["Id"] for entry in entries]
    repeated = next((each for each in ids if ids.count(each) > 1), None)
    if repeated is not None:
        return _sqs_batch("BatchEntryIdsNotDistinct", f"Id {repeated} repeated.")
    if operation != "SendMessageBatch":
        return None
    size = sum(map(_sqs_size, entries))
    if size > SQS_MESSAGE_BYTES:
        return _sqs_batch(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {SQS_MESSAGE_BYTES} bytes. You have sent {size} bytes.",
        )
    return next(filter(None, map(_sqs_entry, entries)), None)


def _sqs_size(entry: Mapping[str, Any]) -> int:
    return _bytes(entry["MessageBody"]) + _attributes_size(entry.get("MessageAttributes", {}))


def _sqs_entry(entry: Mapping[str, Any]) -> Refusal | None:
    body = entry["MessageBody"]
    if not body:
        return Refusal("MissingParameter", "The request must contain the parameter MessageBody.")
    if _XML_ILLEGAL.search(body):
        return Refusal(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | "
            "#x10000 to #x10FFFF",
        )
    return None


def _sqs_batch(name: str, message: str) -> Refusal:
    """boto3 shows SQS's older codes, with the prefix, since SQS still sends them beside the newer ones."""
    return Refusal(f"AWS.SimpleQueueService.{name}", message)


# S3, Lambda, Step Functions


def _s3(parameters: Mapping[str, Any]) -> Refusal | None:
    key = parameters.get("Key")
    return Refusal("KeyTooLongError", "Your key is too long") if key is not None and _bytes(key) > S3_KEY_BYTES else None


def _lambda(operation: str, parameters: Mapping[str, Any]) -> Refusal | None:
    if operation != "Invoke":
        return None
    most = LAMBDA_ASYNC_BYTES if parameters.get("InvocationType") == "Event" else LAMBDA_SYNC_BYTES
    if _bytes(parameters.get("Payload", b"")) <= most:
        return None
    return Refusal(
        "RequestTooLargeException", f"Request must be smaller than {most} bytes for the InvokeFunction operation", 413
    )


def _states(operation: str, parameters: Mapping[str, Any]) -> Refusal | None:
    if operation not in ("StartExecution", "StartSyncExecution"):
        return None
    if _bytes(parameters.get("input", "{}")) > STATES_INPUT_BYTES:
        return validation(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {STATES_INPUT_BYTES}"
        )
    name = parameters.get("name")
    if name is not None and (not 1 <= len(name) <= STATES_NAME_CHARACTERS or _STATES_NAME_ILLEGAL.search(name)):
        return Refusal("InvalidName", f"Invalid Name: '{name}'")
    return None

"""Limits of SNS and SQS on messages, their attributes and batches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clickstream.infra.local.limits.refusal import Refusal
from clickstream.infra.local.limits.units import KIB, utf8_bytes

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

_XML_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUBJECT = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~][ -~]*")
_FIFO_ID = re.compile(r"[!-~]+")


def sns_refusal(operation: str, parameters: Mapping[str, Any]) -> Refusal | None:
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
    return utf8_bytes(entry["Message"]) + _attributes_size(entry.get("MessageAttributes", {}))


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


def sqs_refusal(operation: str, parameters: Mapping[str, Any]) -> Refusal | None:
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
    return utf8_bytes(entry["MessageBody"]) + _attributes_size(entry.get("MessageAttributes", {}))


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


def _attributes_size(attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """Names, types and values all count."""
    return sum(
        utf8_bytes(name)
        + utf8_bytes(each.get("DataType", ""))
        + utf8_bytes(each.get("StringValue", "") or each.get("BinaryValue", b""))
        for name, each in attributes.items()
    )

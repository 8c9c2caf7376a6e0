"""PutRecords, with every answer as a value that the publisher's rules understand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream.errors import Missing, Rejected, RetryLater, Throttled
from producers.puts import CallFailed, Placed, Put, PutResult, Refused

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

_THROTTLED = {
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "ThrottlingException",
    "KMSThrottlingException",
}
#: Refusals of a whole call that pass: credentials are renewed, keys come back, a stream is UPDATING.
_PASSING = _THROTTLED | {"ExpiredTokenException", "RequestExpired", "ResourceInUseException", "KMSAccessDeniedException"}


def put_records(client: KinesisClient, stream: str, put: Put) -> PutResult:
    """Make one PutRecords call. Every outcome is a value; retrying is the publisher's business."""
    from botocore.exceptions import BotoCoreError, ClientError

    entries: list[PutRecordsRequestEntryTypeDef] = []
    for parcel in put.parcels:
        entry: PutRecordsRequestEntryTypeDef = {"Data": parcel.data, "PartitionKey": parcel.partition_key}
        if parcel.explicit_hash_key is not None:
            entry["ExplicitHashKey"] = parcel.explicit_hash_key
        entries.append(entry)
    try:
        response = client.put_records(StreamName=stream, Records=entries)
    except ClientError as error:
        return _refusal(error.response["Error"]["Code"], str(error), error.response["ResponseMetadata"]["HTTPStatusCode"])
    except BotoCoreError as error:
        return CallFailed(RetryLater(f"PutRecords: {error}"), again=True)
    answers = response.get("Records", [])
    if len(answers) != len(entries):
        # a server that dies within its headers: Python's http.client takes their sudden end for the end of an empty answer
        return CallFailed(RetryLater("PutRecords: the answer broke off"), again=True)
    return [
        Refused(f"{entry['ErrorCode']}: {entry.get('ErrorMessage', '')}", throttled=entry["ErrorCode"] in _THROTTLED)
        if entry.get("ErrorCode")
        else Placed(entry["ShardId"], entry["SequenceNumber"])
        for entry in answers
    ]


def _refusal(code: str, message: str, status: int) -> CallFailed:
    if code in _THROTTLED:
        return CallFailed(Throttled(message), again=True, throttled=True)
    if code == "ResourceNotFoundException":
        return CallFailed(Missing(message), again=False)
    if status >= 500 or code in _PASSING:
        return CallFailed(RetryLater(message), again=True)
    return CallFailed(Rejected(message), again=False)

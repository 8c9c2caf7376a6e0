"""PutRecords, with every answer as a value that the publisher's rules understand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream.aws.boto_types import KinesisClient, PutRecordsRequestEntryTypeDef
from clickstream.errors import ClickstreamError, Forbidden, RetryLater
from clickstream.failures.refusals import as_error
from clickstream.producers.publisher.puts import CallFailed, Placed, Put, PutResult, Refused

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


def put_records(client: KinesisClient, stream: str, put: Put) -> PutResult:
    """Make one PutRecords call. Every outcome is a value; retrying is the publisher's business."""
    from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, NoCredentialsError

    entries: list[PutRecordsRequestEntryTypeDef] = []
    for parcel in put.parcels:
        entry: PutRecordsRequestEntryTypeDef = {"Data": parcel.data, "PartitionKey": parcel.partition_key}
        if parcel.explicit_hash_key is not None:
            entry["ExplicitHashKey"] = parcel.explicit_hash_key
        entries.append(entry)
    try:
        response = client.put_records(StreamName=stream, Records=entries)
    except ClientError as error:
        return CallFailed(_refusal(error, stream))
    except (CredentialRetrievalError, NoCredentialsError) as error:
        return CallFailed(Forbidden(f"PutRecords: {error}", action="kinesis:PutRecords", resource="credentials"))
    except BotoCoreError as error:
        return CallFailed(RetryLater(f"PutRecords: {error}"))
    answers = response.get("Records", [])
    if len(answers) != len(entries):
        # a server that dies within its headers: Python's http.client takes their sudden end for the end of an empty answer
        return CallFailed(RetryLater("PutRecords: the answer broke off"))
    outcomes: list[Placed | Refused] = []
    for answer in answers:
        if code := answer.get("ErrorCode"):
            said = ClientError({"Error": {"Code": code, "Message": answer.get("ErrorMessage", "")}}, "PutRecords")
            outcomes.append(Refused(_refusal(said, stream)))
        else:
            outcomes.append(Placed(answer["ShardId"], answer["SequenceNumber"]))
    return outcomes


def _refusal(error: ClientError, stream: str) -> ClickstreamError:
    """What a refusal asks of the publisher, of a whole call and of one record alike."""
    ours = as_error("Kinesis", error) or RetryLater(str(error))
    if isinstance(ours, Forbidden) and not ours.resource.startswith("arn:"):
        return Forbidden(str(ours), action=ours.action, resource=stream)
    return ours

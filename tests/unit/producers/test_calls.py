"""What each refusal of PutRecords asks of the publisher: only what can never be taken is given up."""

from __future__ import annotations

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from clickstream.errors import Forbidden, Rejected, RetryLater, Throttled
from clickstream.producers.publisher.calls import put_records
from clickstream.producers.publisher.limits import Limits
from clickstream.producers.publisher.puts import CallFailed, Failed, Put, Refused
from clickstream.producers.publisher.rules import Publisher
from clickstream.records.routing import HashRange, Shard
from tests.unit.producers.shards import parcel

ARN = "arn:aws:kinesis:eu-north-1:123456789012:stream/shop"
DENIED = f"User: arn:aws:sts::1:assumed-role/x is not authorized to perform: kinesis:PutRecords on resource: {ARN} because"

FORBIDDEN = [
    "AccessDeniedException",
    "AccessDenied",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidSignatureException",
    "UnrecognizedClientException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "ResourceNotFoundException",
]


class Kinesis:
    """Answers every PutRecords alike."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer

    def put_records(self, **_: Any) -> dict[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def refused(code: str, message: str = "no", status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(cast(Any, response), "PutRecords")


def whole(answer: dict[str, Any] | Exception) -> CallFailed:
    result = put_records(cast(Any, Kinesis(answer)), "shop", Put((parcel(b"data"),)))
    assert isinstance(result, CallFailed)
    return result


@pytest.mark.parametrize("code", FORBIDDEN)
def test_what_is_not_allowed_is_put_again(code: str) -> None:
    failure = whole(refused(code))
    assert not isinstance(failure.error, Rejected)
    assert isinstance(failure.error, Forbidden)
    assert (failure.error.action, failure.error.resource) == ("kinesis:PutRecords", "shop")


@pytest.mark.parametrize("code", FORBIDDEN)
def test_one_record_that_is_not_allowed_is_put_again(code: str) -> None:
    """KMS and permissions may also be told record by record, in a call that succeeds."""
    answer = {"Records": [{"ErrorCode": code, "ErrorMessage": "no"}]}
    (outcome,) = cast(list[Any], put_records(cast(Any, Kinesis(answer)), "shop", Put((parcel(b""),))))
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, Forbidden)


def test_a_denial_is_told_with_what_it_names() -> None:
    error = whole(refused("AccessDeniedException", DENIED)).error
    assert isinstance(error, Forbidden)
    assert (error.action, error.resource) == ("kinesis:PutRecords", ARN)


def test_missing_credentials_are_not_a_dead_network() -> None:
    assert isinstance(whole(NoCredentialsError()).error, Forbidden)
    assert not isinstance(whole(EndpointConnectionError(endpoint_url="http://x")).error, Forbidden)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ValidationException", 400, Rejected),
        ("InvalidArgumentException", 400, Rejected),
        ("SerializationException", 400, Rejected),
        ("ProvisionedThroughputExceededException", 400, Throttled),
        ("KMSThrottlingException", 400, Throttled),
        ("LimitExceededException", 400, Throttled),
        ("InternalFailure", 500, RetryLater),
        ("ServiceUnavailable", 503, RetryLater),
        ("ResourceInUseException", 400, RetryLater),
        ("SomethingThatNobodyHasMetYet", 400, RetryLater),
    ],
)
def test_every_other_refusal_has_its_kind(code: str, status: int, kind: type[Exception]) -> None:
    assert type(whole(refused(code, status=status)).error).__mro__[:2].count(kind) == 1


def test_a_permission_that_comes_back_loses_nothing_and_one_that_does_not_is_named() -> None:
    publisher = Publisher([Shard(shard_id="s", hash_range=HashRange.of(0, 2**128 - 1))], Limits(time_to_live=5.0))
    publisher.add("u", b"data", 0.0, "first")
    denied = refused("AccessDeniedException", DENIED)

    def step(now: float, answer: dict[str, Any] | Exception) -> None:
        for action in publisher.due(now):
            assert isinstance(action, Put)
            publisher.on_result(action, put_records(cast(Any, Kinesis(answer)), "shop", action), now)

    def refused_with() -> object:
        return publisher.refusal

    step(1.0, denied)
    assert isinstance(refused_with(), Forbidden)
    assert (publisher.settled(), publisher.pending) == ([], 1)
    step(4.0, {"Records": [{"ShardId": "s", "SequenceNumber": "1"}]})
    assert refused_with() is None
    assert len(publisher.settled()) == 1
    publisher.add("u", b"data", 5.0, "second")
    step(6.0, denied)
    step(20.0, denied)
    (failed,) = publisher.settled()
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Forbidden)
    assert failed.error.resource == ARN

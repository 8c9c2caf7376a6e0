"""Every error code that AWS documents for our calls has a kind; an unknown one is waited for."""

import pytest
from botocore.exceptions import ClientError

from clickstream.errors import ClickstreamError, Forbidden, RetryLater, Throttled, Unwritable
from clickstream.failures.refusals import as_error, kind_of

CODES: dict[type[ClickstreamError] | None, str] = {
    None: "ConditionalCheckFailedException NoSuchKey PreconditionFailed TransactionCanceledException",
    Unwritable: "ValidationException InvalidParameter InvalidParameterValue KeyTooLongError EntityTooLarge "
    "InvalidMessageContents",
    Forbidden: "AccessDenied AccessDeniedException UnrecognizedClientException InvalidSignatureException ExpiredToken "
    "ExpiredTokenException ResourceNotFoundException NoSuchBucket KMSDisabledException KMSAccessDeniedException "
    "KMSInvalidStateException KMSNotFoundException KMSOptInRequired KMS.DisabledException RequestTimeTooSkewed",
    Throttled: "ProvisionedThroughputExceededException ThrottlingException SlowDown KMSThrottlingException",
    RetryLater: "InternalServerError InternalFailure ServiceUnavailable SomethingNew",
}


@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, codes in CODES.items() for code in codes.split()])
def test_kinds(kind: type[ClickstreamError] | None, code: str) -> None:
    assert kind_of(code) is kind


def _error(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetItem")


def test_each_kind_is_one_error() -> None:
    assert as_error("DynamoDB", _error("ConditionalCheckFailedException")) is None
    assert isinstance(as_error("DynamoDB", _error("ValidationException")), Unwritable)
    assert isinstance(as_error("DynamoDB", _error("SlowDown")), Throttled)
    assert type(as_error("DynamoDB", _error("InternalServerError"))) is RetryLater


def test_forbidden_names_the_action_and_the_resource() -> None:
    told = (
        "User: arn:aws:sts::1:assumed-role/orders/x is not authorized to perform: dynamodb:GetItem on resource: "
        "arn:aws:dynamodb:us-east-1:1:table/clickstream-orders because no identity-based policy allows it"
    )
    error = as_error("DynamoDB", _error("AccessDeniedException", told))
    assert isinstance(error, Forbidden)
    assert (error.action, error.resource) == (
        "dynamodb:GetItem",
        "arn:aws:dynamodb:us-east-1:1:table/clickstream-orders",
    )


def test_forbidden_without_names_says_the_operation() -> None:
    error = as_error("S3", _error("KMS.DisabledException", "the key is disabled"))
    assert isinstance(error, Forbidden)
    assert (error.action, error.resource) == ("s3:GetItem", "S3")

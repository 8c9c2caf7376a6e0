"""What an AWS error code asks of the caller: every refusal is one of our errors. Pure.

| error | the caller |
|---|---|
| None | asked a question and this is the answer (a condition failed, a key is not there): the code at hand handles it |
| Unwritable | this input can never be written: reject it, or dead-letter it with its effect, and go on |
| Forbidden | we are not allowed, or a key or a resource is away: wait loudly, lose nothing |
| Throttled | wait, and ask less often |
| RetryLater | wait: no answer, a fault of the service, or a code that nobody has met yet |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clickstream.errors import ClickstreamError, Forbidden, RetryLater, Throttled, Unwritable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


_CODES: dict[type[ClickstreamError] | None, str] = {
    None: """
    ConditionalCheckFailed ConditionalCheckFailedException DuplicateItem NoSuchKey PreconditionFailed
    TransactionCanceledException
    """,
    Throttled: """
    KMSThrottlingException LimitExceededException ProvisionedThroughputExceeded ProvisionedThroughputExceededException
    RequestLimitExceeded RequestThrottled RequestThrottledException SlowDown Throttled ThrottledException Throttling
    ThrottlingError ThrottlingException TooManyRequestsException
    """,
    Unwritable: """
    AWS.SimpleQueueService.BatchRequestTooLong BatchRequestTooLong EntityTooLarge InvalidArgument InvalidArgumentException
    InvalidMessageContents InvalidParameter InvalidParameterException InvalidParameterValue InvalidParameterValueException
    ItemCollectionSizeLimitExceededException KeyTooLongError RequestEntityTooLargeException RequestTooLargeException
    SerializationException ValidationError ValidationException
    """,
    Forbidden: """
    403 AWS.SimpleQueueService.NonExistentQueue AccessDenied AccessDeniedException AccountProblem AllAccessDisabled AuthFailure
    AuthorizationError AuthorizationErrorException ExpiredToken ExpiredTokenException Forbidden IncompleteSignature
    IncompleteSignatureException InvalidAccessKeyId InvalidClientTokenId InvalidSecurity InvalidSignatureException InvalidToken
    MissingAuthenticationToken MissingAuthenticationTokenException NoSuchBucket NotAuthorized NotFound NotFoundException
    OptInRequired QueueDoesNotExist RequestExpired RequestTimeTooSkewed ResourceNotFound ResourceNotFoundException
    SignatureDoesNotMatch TokenRefreshRequired UnrecognizedClientException
    """,
}
_KINDS = {code: kind for kind, codes in _CODES.items() for code in codes.split()}


def kind_of(code: str) -> type[ClickstreamError] | None:
    """The error for a service's error code; ``KMS…`` codes are Forbidden but for its throttling."""
    return _KINDS.get(code, Forbidden if code.startswith("KMS") else RetryLater)


def error_code(error: ClientError) -> str:
    """The service's error code, such as ``ConditionalCheckFailedException``; empty when it named none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def as_error(dependency: str, error: ClientError) -> ClickstreamError | None:
    """A refusal as the error of ours that names what to do; None for an answer, which only the caller can read."""
    code = error_code(error)
    message = str(error.response.get("Error", {}).get("Message", "")) or str(error)
    line = f"{dependency}: {code}: {message}"
    kind = kind_of(code)
    if kind is Forbidden:
        action, resource = _what(dependency, error.operation_name, message)
        return Forbidden(line, action=action, resource=resource)
    return None if kind is None else kind(line)


#: «User: arn:… is not authorized to perform: dynamodb:GetItem on resource: arn:… because …»
_NOT_AUTHORIZED = re.compile(r"not authorized to perform: (?P<action>[\w:*-]+)(?: on resource: (?P<resource>[^\s\"]+))?")


def _what(dependency: str, operation: str, message: str) -> tuple[str, str]:
    """The action and the resource that a refusal is about, as far as its message names them."""
    found = _NOT_AUTHORIZED.search(message)
    if found is None:
        return f"{dependency.lower()}:{operation}", dependency
    return found["action"], found["resource"] or dependency

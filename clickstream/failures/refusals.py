"""What an AWS error code asks of the caller: every refusal has a kind, and each kind one answer. Pure.

| kind | the caller |
|---|---|
| ANSWER | asked a question and this is the answer (a condition failed, a key is not there): the code at hand handles it |
| NEVER | this input can never be written: reject it, or dead-letter it with its effect, and go on |
| FORBIDDEN | we are not allowed, or a key or a resource is away: wait loudly, lose nothing |
| SLOWER | wait, and ask less often |
| AWAY | wait: no answer, a fault of the service, or a code that nobody has met yet |
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING

from clickstream.errors import ClickstreamError, Forbidden, RetryLater, Throttled, Unwritable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


class Kind(Enum):
    ANSWER = auto()
    NEVER = auto()
    FORBIDDEN = auto()
    SLOWER = auto()
    AWAY = auto()


_CODES = {
    Kind.ANSWER: """
    ConditionalCheckFailedException NoSuchKey PreconditionFailed TransactionCanceledException
    """,
    Kind.SLOWER: """
    KMSThrottlingException LimitExceededException ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled
    RequestThrottledException SlowDown Throttled ThrottledException Throttling ThrottlingException TooManyRequestsException
    """,
    Kind.NEVER: """
    AWS.SimpleQueueService.BatchRequestTooLong BatchRequestTooLong EntityTooLarge InvalidArgument InvalidArgumentException
    InvalidMessageContents InvalidParameter InvalidParameterException InvalidParameterValue InvalidParameterValueException
    ItemCollectionSizeLimitExceededException KeyTooLongError RequestEntityTooLargeException RequestTooLargeException
    SerializationException ValidationError ValidationException
    """,
    Kind.FORBIDDEN: """
    403 AWS.SimpleQueueService.NonExistentQueue AccessDenied AccessDeniedException AccountProblem AllAccessDisabled AuthFailure
    AuthorizationError AuthorizationErrorException ExpiredToken ExpiredTokenException Forbidden IncompleteSignature
    IncompleteSignatureException InvalidAccessKeyId InvalidClientTokenId InvalidSecurity InvalidSignatureException InvalidToken
    MissingAuthenticationToken MissingAuthenticationTokenException NoSuchBucket NotAuthorized NotFound NotFoundException
    OptInRequired QueueDoesNotExist RequestExpired RequestTimeTooSkewed ResourceNotFoundException SignatureDoesNotMatch
    TokenRefreshRequired UnrecognizedClientException
    """,
}
_KINDS = {code: kind for kind, codes in _CODES.items() for code in codes.split()}


def kind_of(code: str) -> Kind:
    """The kind of a service's error code; ``KMS…`` codes are FORBIDDEN but for its throttling."""
    return _KINDS.get(code, Kind.FORBIDDEN if code.startswith("KMS") else Kind.AWAY)


def error_code(error: ClientError) -> str:
    """The service's error code, such as ``ConditionalCheckFailedException``; empty when it named none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def as_error(dependency: str, error: ClientError) -> ClickstreamError | None:
    """A refusal as the error of ours that names what to do; None for an ANSWER, which only the caller can read."""
    code = error_code(error)
    message = str(error.response.get("Error", {}).get("Message", "")) or str(error)
    line = f"{dependency}: {code}: {message}"
    match kind_of(code):
        case Kind.ANSWER:
            return None
        case Kind.NEVER:
            return Unwritable(line)
        case Kind.FORBIDDEN:
            action, resource = _what(dependency, error.operation_name, message)
            return Forbidden(line, action=action, resource=resource)
        case Kind.SLOWER:
            return Throttled(line)
        case Kind.AWAY:
            return RetryLater(line)


#: «User: arn:… is not authorized to perform: dynamodb:GetItem on resource: arn:… because …»
_NOT_AUTHORIZED = re.compile(r"not authorized to perform: (?P<action>[\w:*-]+)(?: on resource: (?P<resource>[^\s\"]+))?")


def _what(dependency: str, operation: str, message: str) -> tuple[str, str]:
    """The action and the resource that a refusal is about, as far as its message names them."""
    found = _NOT_AUTHORIZED.search(message)
    if found is None:
        return f"{dependency.lower()}:{operation}", dependency
    return found["action"], found["resource"] or dependency

"""The errors of the API, one class per error type.

The class name is the type on the wire (``__type``), ``message`` is the text that AWS gives, ``status`` the HTTP status.
"""

from __future__ import annotations


class KinesisError(Exception):
    """Root of the tree; never raised itself."""

    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def code(self) -> str:
        """The error type on the wire."""
        return type(self).__name__


class ValidationException(KinesisError):
    """A member breaks a constraint of the API's model (length, range, pattern, enumeration)."""


class SerializationException(KinesisError):
    """The body is not what its content type says, or a member has the wrong type."""


class InvalidArgumentException(KinesisError):
    """A member is well-formed but makes no sense here."""


class ResourceNotFoundException(KinesisError):
    """No such stream, shard or consumer."""


class ResourceInUseException(KinesisError):
    """The stream, shard or consumer is not in a state that allows the call."""


class LimitExceededException(KinesisError):
    """A quota of the account or of the stream."""


class ExpiredIteratorException(KinesisError):
    """A shard iterator older than five minutes."""


class ExpiredNextTokenException(KinesisError):
    """A pagination token older than five minutes."""


class ProvisionedThroughputExceededException(KinesisError):
    """A shard's write or read limit."""


class AccessDeniedException(KinesisError):
    """No resource policy, or a call that the caller may not make."""


class DryRunOperationException(KinesisError):
    """The call would have succeeded; nothing was done."""

    def __init__(self, message: str = "The request would have succeeded, but DryRun was set.") -> None:
        super().__init__(message)


class UnknownOperationException(KinesisError):
    """No such operation (or one that this server does not have)."""


class InvalidSignatureException(KinesisError):
    """The request is signed twice."""


class MissingAuthenticationTokenException(KinesisError):
    """The request is not signed."""


class InternalFailureException(KinesisError):
    """A fault of the service: only ever injected."""

    status = 500


class ServiceUnavailableException(KinesisError):
    """The service is down: only ever injected."""

    status = 503


#: Error types that a fault may name.
BY_CODE: dict[str, type[KinesisError]] = {error.__name__: error for error in KinesisError.__subclasses__()}

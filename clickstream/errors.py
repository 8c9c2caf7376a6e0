"""Errors, named by what the caller must do.

ClickstreamError
├── Rejected             this input is wrong: report it or dead-letter it, and go on with the next
│   ├── Undecodable          the bytes are not an event
│   ├── InvalidEvent         an event, but a field is wrong (``path`` says which)
│   ├── TooLarge             over a limit of Kinesis: refused before the wire
│   └── Unwritable           a store will never take this effect: dead-letter it, write the others
├── RetryLater           a dependency did not answer: try again, with jitter, until a deadline
│   ├── Throttled            it answered "slower"
│   └── Forbidden            we are not allowed, or a key is away: wait, and name ``action`` and ``resource`` aloud
├── Stop                 this process must not go on; nothing is lost, another run continues
│   └── Fenced               another owner has taken this shard: stop its effects, checkpoint nothing
└── UserMistake          one line and a hint for the person at the keyboard
    └── Missing              a stream, a table, Java … is not there
"""


class ClickstreamError(Exception):
    """Root of the tree. ``str()`` is one line fit for a person."""


class Rejected(ClickstreamError):
    """An input that will never be accepted. ``path`` is a JSONPath-like place (``$.items[0].price``)."""

    def __init__(self, reason: str, path: str = "$") -> None:
        super().__init__(reason if path == "$" else f"{reason} at {path}")
        self.reason = reason
        self.path = path


class Undecodable(Rejected):
    """Not JSON, not UTF-8, a broken aggregate …: no field can be named."""


class InvalidEvent(Rejected):
    """JSON, but not an event of a known type with valid fields."""


class TooLarge(Rejected):
    """Over a record or request limit."""


class Unwritable(Rejected):
    """A store refused an effect, and always will: too large, or a value that it does not take."""


class RetryLater(ClickstreamError):
    """A dependency is down or slow; the same call may succeed later."""


class Throttled(RetryLater):
    """The dependency asked for fewer calls."""


class Forbidden(RetryLater):
    """A permission, a valid signature, an encryption key or a resource is missing: somebody must give it back."""

    def __init__(self, message: str, *, action: str, resource: str) -> None:
        super().__init__(message)
        self.action = action
        """``dynamodb:GetItem``."""
        self.resource = resource
        """Its ARN as far as the service told it, else the service's name."""


class Stop(ClickstreamError):
    """This process must end or stand still; durable state is consistent."""


class Fenced(Stop):
    """A newer owner's epoch is in the store."""


class UserMistake(ClickstreamError):
    """Something a person can put right; ``hint`` says how."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Missing(UserMistake):
    """A stream, table, queue, runtime or file is not there."""

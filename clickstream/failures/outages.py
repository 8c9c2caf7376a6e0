"""botocore's failures as ours, by what the caller must do.

A worker calls through :func:`translated`, and calls again until AWS answers (:mod:`consumers.runtime.faults.patience`). For a
reader, which calls through :func:`asked`, a table that is not there is a person's mistake. Lambda functions import this module
too: it needs no more than botocore.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from clickstream.errors import Missing, RetryLater
from clickstream.failures.refusals import as_error, error_code

_NOT_THERE = frozenset({"ResourceNotFoundException", "NoSuchBucket"})


@contextmanager
def translated(dependency: str) -> Iterator[None]:
    """botocore's errors as ours, by the kind of the refusal (:mod:`clickstream.failures.refusals`).

    Raises RetryLater, Throttled, Forbidden or Unwritable, named by the dependency. An error that is an answer, such as a failed
    condition, stays a ClientError.
    """
    try:
        yield
    except ClientError as error:
        ours = as_error(dependency, error)
        if ours is None:
            raise
        raise ours from error
    except BotoCoreError as error:
        raise RetryLater(f"{dependency}: {error}") from error


@contextmanager
def asked(dependency: str, what: str) -> Iterator[None]:
    """As :func:`translated`, but raises Missing when ``what`` is asked (``table shop-orders``) and is not there."""
    with translated(dependency):
        try:
            yield
        except ClientError as error:
            if error_code(error) not in _NOT_THERE:
                raise
            hint = "`clickstream local start` makes it on a laptop; or are AWS_ENDPOINT_URL or CLICKSTREAM_NAME another's?"
            raise Missing(f"no {what}", hint) from error

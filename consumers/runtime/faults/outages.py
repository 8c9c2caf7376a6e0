"""A dependency that is down stops the shard; it never drops records.

Every call to AWS goes through :func:`translated`, which turns botocore's many failures into ours, by their kind, and the
runtime's loops call again (:mod:`consumers.runtime.faults.patience`) until the answer comes or the lease is gone. Lambda
functions import this module too: it needs no more than botocore.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from clickstream.errors import RetryLater
from clickstream.refusals import as_error


@contextmanager
def translated(dependency: str) -> Iterator[None]:
    """botocore's errors as ours, by the kind of the refusal (:mod:`clickstream.refusals`).

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


class CircuitOpen(RetryLater):
    """The call was not made: its dependency is known to be down. The next is let through after ``retry_after_s`` seconds."""

    def __init__(self, dependency: str, retry_after_s: float) -> None:
        super().__init__(f"{dependency}: known to be down, asked again in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s

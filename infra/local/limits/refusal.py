"""An error that AWS answers with, as a value."""

from __future__ import annotations

from typing import NamedTuple


class Refusal(NamedTuple):
    """``code`` is what boto3 shows as ``Error.Code``."""

    code: str
    message: str
    status: int = 400


def validation(message: str) -> Refusal:
    """DynamoDB's, Kinesis's and Step Functions' answer to a request that can never succeed."""
    return Refusal("ValidationException", message)

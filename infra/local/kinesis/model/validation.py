"""The constraints on a call's members, reported as AWS does: all violations in one ValidationException."""

from __future__ import annotations

from clickstream.infra.local.kinesis.model.errors import ValidationException
from clickstream.infra.local.limits.constraints import length, pattern, refusal, required

NAME_PATTERN = "[a-zA-Z0-9_.-]+"
STREAM_ARN_PATTERN = r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+"
CONSUMER_ARN_PATTERN = r"^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+"
RESOURCE_ARN_PATTERN = r"arn:aws.*:kinesis:.*:\d{12}:.*stream/\S+"
SEQUENCE_PATTERN = r"0|([1-9]\d{0,128})"
HASH_KEY_PATTERN = r"0|([1-9]\d{0,38})"


def check(*violations: str | None) -> None:
    """Raise a ValidationException if there is any violation."""
    refused = refusal(*violations)
    if refused is not None:
        raise ValidationException(refused.message)


def name_violation(member: str, value: str | None) -> str | None:
    """Of a stream's, shard's or consumer's name."""
    return required(member, value) or pattern(member, value, NAME_PATTERN) or length(member, value, 1, 128)


def arn_violation(member: str, value: str | None, regex: str = STREAM_ARN_PATTERN) -> str | None:
    """Of an ARN, where a name is not accepted."""
    return required(member, value) or pattern(member, value, regex)

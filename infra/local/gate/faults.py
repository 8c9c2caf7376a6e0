"""Injected refusals: what AWS does rarely, a test does whenever it needs it.

A fault is a value. It names the callers that it hits by access key (``NAME.ROLE``), so a fault for one deployment of a shared
local AWS does not hit another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple, get_args

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.gate.actions import Need
from clickstream.infra.local.gate.requests import Request
from clickstream.infra.local.limits.refusal import Refusal

Kind = Literal["denied", "kms", "expired", "skewed", "final"]


class Fault(NamedTuple):
    """What is refused while the fault is in force. ``who``, ``action`` and ``resource`` are patterns with ``*``."""

    kind: Kind
    """``denied``: a permission is taken away. ``kms``: the key behind the resource is disabled. ``expired``: the credentials
    are. ``skewed``: the signature's time is wrong. ``final``: ValidationException and its like, for one item alone."""
    who: str = "*"
    """Access keys: ``clickstream.fraud``, ``test-1.*``."""
    action: str = "*"
    """``dynamodb:PutItem``, ``s3:*``."""
    resource: str = "*"
    """``dynamodb:table/clickstream-decisions``, ``s3:clickstream-state/*``."""
    value: str = ""
    """For ``final``: a text that occurs in the item."""


def read(text: bytes) -> list[Fault]:
    """A JSON list of objects; ValueError when it is not one."""
    try:
        faults = [Fault(**each) for each in json.loads(text)]
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
    for fault in faults:
        if fault.kind not in get_args(Kind):
            raise ValueError(f"no such kind: {fault.kind}")
        if (fault.kind == "final") != bool(fault.value):
            raise ValueError("a final fault names the value, and no other does")
    return faults


def hits(fault: Fault, request: Request, needed: list[Need]) -> Need | None:
    """The permission that the fault refuses to this call, if any."""
    if not fnmatchcase(request.caller.access_key, fault.who):
        return None
    if fault.kind == "final" and not any(fault.value in text for text in _texts(request.parameters)):
        return None
    return next(
        (each for each in needed if fnmatchcase(each.action, fault.action) and fnmatchcase(each.resource, fault.resource)), None
    )


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


_KEY = f"arn:aws:kms:{{region}}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
_KMS_CODES = {"s3": "KMS.DisabledException", "sns": "KMSDisabled", "sqs": "KMS.DisabledException"}
_EXPIRED = {
    "s3": Refusal("ExpiredToken", "The provided token has expired."),
    "sns": Refusal("ExpiredToken", "The security token included in the request is expired", 403),
    "sqs": Refusal("ExpiredToken", "The security token included in the request is expired", 403),
}
_SIGNED_LONG_AGO = "Signature expired: 20260101T000000Z is now earlier than 20260101T004500Z (20260101T010000Z - 15 min.)"
_SKEWED = {
    "s3": Refusal("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403),
    "sns": Refusal("SignatureDoesNotMatch", _SIGNED_LONG_AGO, 403),
    "sqs": Refusal("SignatureDoesNotMatch", _SIGNED_LONG_AGO, 403),
}
_FINAL_CODES = {
    "kinesis": "InvalidArgumentException",
    "s3": "InvalidArgument",
    "sns": "InvalidParameter",
    "sqs": "InvalidMessageContents",
}


def answer(kind: Literal["kms", "expired", "skewed", "final"], service: str, region: str) -> Refusal:
    """The refusal as this service words it. (A denied permission is worded where the policies are.)"""
    match kind:
        case "kms":
            return Refusal(_KMS_CODES.get(service, "KMSDisabledException"), f"{_KEY.format(region=region)} is disabled.")
        case "expired":
            expired = Refusal("ExpiredTokenException", "The security token included in the request is expired")
            return _EXPIRED.get(service, expired)
        case "skewed":
            return _SKEWED.get(service, Refusal("InvalidSignatureException", _SIGNED_LONG_AGO))
        case "final":
            return Refusal(_FINAL_CODES.get(service, "ValidationException"), "Injected: this item is never taken.")

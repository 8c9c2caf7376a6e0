"""Compares what a role may do with what its program was seen to do. Pure; says nothing when they agree."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

from tests.infra.recording.operations import Call
from tests.infra.templates import Permission

#: What the platform below a program needs in its role, and no program calls: action → where. Everything else must be seen.
PLATFORM = {
    # Kinesis, S3, SQS and SNS encrypt and decrypt in the caller's name; nothing local does
    "kms:Decrypt": "<AWS::KMS::Key>",
    "kms:GenerateDataKey": "<AWS::KMS::Key>",
    # Lambda itself reads a function's queue, writes its log and its traces
    "sqs:ReceiveMessage": "sqs:*",
    "sqs:DeleteMessage": "sqs:*",
    "sqs:ChangeMessageVisibility": "sqs:*",
    "sqs:GetQueueUrl": "sqs:*",
    "sqs:GetQueueAttributes": "sqs:*",
    "logs:CreateLogStream": "<AWS::Logs::LogGroup>",
    "logs:PutLogEvents": "<AWS::Logs::LogGroup>",
    "xray:PutTraceSegments": "*",
    "xray:PutTelemetryRecords": "*",
}
#: Actions that IAM cannot confine to a resource; they must be seen like any other.
UNCONFINED = frozenset({"cloudwatch:GetMetricStatistics"})


def findings(allowed: Collection[Permission], seen: Iterable[Call], unseen: Collection[Permission]) -> list[str]:
    """One line for each permission too many or too few; ``unseen`` are those that need not be seen, by their reasons."""
    calls = list(seen)
    narrow = [
        f"too narrow: {call.action} on {call.resource} was called and is not allowed"
        for call in calls
        if not any(_allows(permission, call) for permission in allowed)
    ]
    wide = [
        f"too wide: {permission.action} on {permission.resource} is allowed and was never called"
        for permission in sorted(allowed)
        if not any(_allows(permission, call) for call in calls)
        and permission not in unseen
        and not fnmatchcase(permission.resource, PLATFORM.get(permission.action, ""))
    ]
    stale = [
        f"seen after all: {permission.action} on {permission.resource} needs no reason"
        for permission in sorted(unseen)
        if any(permission.action == call.action and permission.resource == call.resource for call in calls)
    ]
    # a star is worth what lies under it: several things seen under it must not hide that it could name them
    loose = [
        f"too wide: {permission.action} on everything may not be allowed"
        for permission in sorted(allowed)
        if permission.resource == "*"
        and not permission.condition
        and permission.action not in UNCONFINED
        and PLATFORM.get(permission.action) != "*"
    ]
    return [*narrow, *wide, *stale, *loose]


def _allows(permission: Permission, call: Call) -> bool:
    """IAM's match: the action as it stands, the resource with its stars. (None of ours has a star in an action.)"""
    return permission.action == call.action and fnmatchcase(call.resource, permission.resource.replace("[", "[[]"))

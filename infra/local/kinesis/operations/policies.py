"""Operations on resource policies, which are stored but not enforced."""

from __future__ import annotations

import json

from clickstream.infra.local.kinesis.model.errors import InvalidArgumentException, ResourceNotFoundException
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.streams import Stream
from clickstream.infra.local.kinesis.model.validation import RESOURCE_ARN_PATTERN, arn_violation, check
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.kinesis.operations.tags import find_resource
from clickstream.infra.local.limits import constraints


@operation
def put_resource_policy(kinesis: Kinesis, resource_arn: str | None, policy: str | None, now_ms: int) -> None:
    check(constraints.required("resourceARN", resource_arn), constraints.required("policy", policy))
    try:
        document = json.loads(policy or "")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidArgumentException("Policy is not a JSON document.")
    found = _policy_owner(kinesis, resource_arn, now_ms)
    found.state.policies[resource_arn or ""] = policy or ""
    kinesis.journal.changed(found)


@operation
def get_resource_policy(kinesis: Kinesis, resource_arn: str | None, now_ms: int) -> str | None:
    """None where there is no policy."""
    found = _policy_owner(kinesis, resource_arn, now_ms)
    return found.state.policies.get(resource_arn or "")


@operation
def delete_resource_policy(kinesis: Kinesis, resource_arn: str | None, now_ms: int) -> None:
    found = _policy_owner(kinesis, resource_arn, now_ms)
    if found.state.policies.pop(resource_arn or "", None) is None:
        raise ResourceNotFoundException(f"No resource policy found for resource ARN {resource_arn}")
    kinesis.journal.changed(found)


def _policy_owner(kinesis: Kinesis, resource_arn: str | None, now_ms: int) -> Stream:
    check(arn_violation("resourceARN", resource_arn, RESOURCE_ARN_PATTERN))
    return find_resource(kinesis, resource_arn, now_ms)[0]

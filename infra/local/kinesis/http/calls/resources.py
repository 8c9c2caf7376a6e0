"""Calls about what is attached to streams and consumers: tags and resource policies."""

from __future__ import annotations

from collections.abc import Mapping

from clickstream.infra.local.kinesis.http.parameters import Parameters
from clickstream.infra.local.kinesis.http.shapes import Answer
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.validation import RESOURCE_ARN_PATTERN, arn_violation, check
from clickstream.infra.local.kinesis.operations import policies, tags
from clickstream.infra.local.limits import constraints
from clickstream.infra.local.limits.kinesis import MAX_TAGS


def add_tags_to_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    tags.add_tags_to_stream(kinesis, p.stream(), p.mapping("Tags"), now_ms)


def remove_tags_from_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    tags.remove_tags_from_stream(kinesis, p.stream(), p.texts("TagKeys"), now_ms)


def list_tags_for_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    limit = p.integer("Limit")
    check(constraints.between("limit", limit, 1, MAX_TAGS))
    after = p.text("ExclusiveStartTagKey") or ""
    stored = tags.list_tags_for_stream(kinesis, p.stream(), now_ms)
    following = {key: value for key, value in stored.items() if key > after}
    page = _pairs(following)[: limit or MAX_TAGS]
    return {"Tags": page, "HasMoreTags": len(page) < len(following)}


def tag_resource(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    tags.add_tags_to_stream(kinesis, _resource(p), p.mapping("Tags"), now_ms)


def untag_resource(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    tags.remove_tags_from_stream(kinesis, _resource(p), p.texts("TagKeys"), now_ms)


def list_tags_for_resource(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    return {"Tags": _pairs(tags.list_tags_for_stream(kinesis, _resource(p), now_ms))}


def put_resource_policy(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    policies.put_resource_policy(kinesis, p.text("ResourceARN"), p.text("Policy"), now_ms)


def get_resource_policy(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    policy = policies.get_resource_policy(kinesis, p.text("ResourceARN"), now_ms)
    return {} if policy is None else {"Policy": policy}


def delete_resource_policy(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    policies.delete_resource_policy(kinesis, p.text("ResourceARN"), now_ms)


def _resource(p: Parameters) -> str | None:
    arn = p.text("ResourceARN")
    check(arn_violation("resourceARN", arn, RESOURCE_ARN_PATTERN))
    return arn


def _pairs(stored: Mapping[str, str]) -> list[Answer]:
    return [{"Key": key, "Value": value} for key, value in stored.items()]

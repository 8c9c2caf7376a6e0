"""Operations on what is pinned to streams and consumers: tags and resource policies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from infra.local.kinesis import validation
from infra.local.kinesis.errors import InvalidArgumentException, LimitExceededException, ResourceNotFoundException
from infra.local.kinesis.limits import MAX_TAGS
from infra.local.kinesis.registry import ACCOUNT_ID, Registry, operation
from infra.local.kinesis.streams import Stream


class TagOperations(Registry):
    """Tags and policies. A resource is a stream (name or ARN) or a consumer (ARN)."""

    @operation("AddTagsToStream")
    def add_tags(self, resource: str | None, tags: Mapping[str, str] | None, now_ms: int) -> None:
        """Tag a stream (name or ARN) or a consumer (ARN)."""
        validation.check(validation.required("tags", tags) or validation.length("tags", tags, 1, 200))
        found, stored = self._tagged(resource, now_ms)
        self.tag(stored, tags or {})
        self.journal.changed(found)

    @operation("RemoveTagsFromStream")
    def remove_tags(self, resource: str | None, keys: Sequence[str] | None, now_ms: int) -> None:
        validation.check(validation.required("tagKeys", keys) or validation.length("tagKeys", keys, 1, 50))
        found, stored = self._tagged(resource, now_ms)
        for key in keys or ():
            stored.pop(key, None)
        self.journal.changed(found)

    @operation("ListTagsForStream")
    def list_tags(self, resource: str | None, now_ms: int) -> dict[str, str]:
        """All tags, by key."""
        _, stored = self._tagged(resource, now_ms)
        return dict(sorted(stored.items()))

    @operation("PutResourcePolicy")
    def put_policy(self, resource_arn: str | None, policy: str | None, now_ms: int) -> None:
        validation.check(validation.required("resourceARN", resource_arn), validation.required("policy", policy))
        try:
            json.loads(policy or "")
        except ValueError:
            raise InvalidArgumentException("Policy is not a JSON document.") from None
        found = self._policy_owner(resource_arn, now_ms)
        found.state.policies[resource_arn or ""] = policy or ""
        self.journal.changed(found)

    @operation("GetResourcePolicy")
    def get_policy(self, resource_arn: str | None, now_ms: int) -> str:
        found = self._policy_owner(resource_arn, now_ms)
        if resource_arn not in found.state.policies:
            raise ResourceNotFoundException(f"No resource policy found for resource ARN {resource_arn}")
        return found.state.policies[resource_arn]

    @operation("DeleteResourcePolicy")
    def delete_policy(self, resource_arn: str | None, now_ms: int) -> None:
        found = self._policy_owner(resource_arn, now_ms)
        found.state.policies.pop(resource_arn or "", None)
        self.journal.changed(found)

    def _policy_owner(self, resource_arn: str | None, now_ms: int) -> Stream:
        validation.check(validation.required("resourceARN", resource_arn))
        return self._tagged(resource_arn, now_ms)[0]

    def _tagged(self, resource: str | None, now_ms: int) -> tuple[Stream, dict[str, str]]:
        stream, separator, _ = (resource or "").partition("/consumer/")
        found = self.find(stream or resource, now_ms)
        if not separator:
            return found, found.state.tags
        assert resource is not None
        if all(consumer.arn != resource for consumer in found.state.consumers.values()):
            raise ResourceNotFoundException(f"Consumer {resource} under account {ACCOUNT_ID} not found.")
        return found, found.state.consumer_tags.setdefault(resource, {})

    def tag(self, stored: dict[str, str], tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            validation.check(validation.length("tags.key", key, 1, 128), validation.length("tags.value", value, 0, 256))
        if len(stored.keys() | tags.keys()) > MAX_TAGS:
            raise LimitExceededException(f"Failed to add tags: a stream cannot have more than {MAX_TAGS} tags.")
        stored.update(tags)

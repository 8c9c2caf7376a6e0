"""Operations on what is pinned to streams and consumers: tags and resource policies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from infra.local.kinesis import validation
from infra.local.kinesis.errors import InvalidArgumentException, LimitExceededException, ResourceNotFoundException
from infra.local.kinesis.limits import MAX_TAGS
from infra.local.kinesis.registry import ACCOUNT_ID, Registry, operation
from infra.local.kinesis.streams import Stream

#: What a tag's key and value may be made of.
_TAG = re.compile(r"[\w\s.:/=+\-%@]*")


class TagOperations(Registry):
    """Tags and policies. A resource is a stream (name or ARN) or a consumer (ARN)."""

    @operation("AddTagsToStream")
    def add_tags(self, resource: str | None, tags: Mapping[str, str] | None, now_ms: int) -> None:
        """Tag a stream (name or ARN) or a consumer (ARN)."""
        validation.check(validation.required("tags", tags) or validation.length("tags", tags, 1, 200))
        found, stored = self._tagged(resource, now_ms)
        self.check_tags(stored, tags)
        stored.update(tags or {})
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
            document = json.loads(policy or "")
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise InvalidArgumentException("Policy is not a JSON document.")
        found = self._policy_owner(resource_arn, now_ms)
        found.state.policies[resource_arn or ""] = policy or ""
        self.journal.changed(found)

    @operation("GetResourcePolicy")
    def get_policy(self, resource_arn: str | None, now_ms: int) -> str | None:
        """None where there is no policy."""
        found = self._policy_owner(resource_arn, now_ms)
        return found.state.policies.get(resource_arn or "")

    @operation("DeleteResourcePolicy")
    def delete_policy(self, resource_arn: str | None, now_ms: int) -> None:
        found = self._policy_owner(resource_arn, now_ms)
        if found.state.policies.pop(resource_arn or "", None) is None:
            raise ResourceNotFoundException(f"No resource policy found for resource ARN {resource_arn}")
        self.journal.changed(found)

    def _policy_owner(self, resource_arn: str | None, now_ms: int) -> Stream:
        validation.check(validation.arn("resourceARN", resource_arn, validation.RESOURCE_ARN_PATTERN))
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

    def check_tags(self, stored: Mapping[str, str], tags: Mapping[str, str] | None) -> None:
        """Refuse tags that may not be added to those that are there."""
        if not tags:
            return
        for key, value in tags.items():
            validation.check(validation.length("tags.key", key, 1, 128), validation.length("tags.value", value, 0, 256))
            if key.lower().startswith("aws:"):
                raise InvalidArgumentException("Tag keys that begin with aws: are reserved for system use.")
            if not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
                raise InvalidArgumentException("Tags take letters, digits, white space and _ . : / = + - % @ alone.")
        if len(stored.keys() | tags.keys()) > MAX_TAGS:
            raise LimitExceededException(f"Failed to add tags: a stream cannot have more than {MAX_TAGS} tags.")

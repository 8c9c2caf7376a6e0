"""Operations on tags. A tagged resource is a stream (name or ARN) or a consumer (ARN)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.kinesis.model.errors import (
    InvalidArgumentException,
    LimitExceededException,
    ResourceNotFoundException,
)
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.streams import Stream
from clickstream.infra.local.kinesis.model.validation import check
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.limits import constraints
from clickstream.infra.local.limits.kinesis import MAX_TAGS

#: What a tag's key and value may be made of.
_TAG = re.compile(r"[\w\s.:/=+\-%@]*")


@operation
def add_tags_to_stream(kinesis: Kinesis, resource: str | None, tags: Mapping[str, str] | None, now_ms: int) -> None:
    """Tag a stream (name or ARN) or a consumer (ARN)."""
    check(constraints.required("tags", tags) or constraints.length("tags", tags, 1, 200))
    found, stored = find_resource(kinesis, resource, now_ms)
    check_tags(stored, tags)
    stored.update(tags or {})
    kinesis.journal.changed(found)


@operation
def remove_tags_from_stream(kinesis: Kinesis, resource: str | None, keys: Sequence[str] | None, now_ms: int) -> None:
    check(constraints.required("tagKeys", keys) or constraints.length("tagKeys", keys, 1, 50))
    found, stored = find_resource(kinesis, resource, now_ms)
    for key in keys or ():
        stored.pop(key, None)
    kinesis.journal.changed(found)


@operation
def list_tags_for_stream(kinesis: Kinesis, resource: str | None, now_ms: int) -> dict[str, str]:
    """All tags, by key."""
    _, stored = find_resource(kinesis, resource, now_ms)
    return dict(sorted(stored.items()))


def find_resource(kinesis: Kinesis, resource: str | None, now_ms: int) -> tuple[Stream, dict[str, str]]:
    stream, separator, _ = (resource or "").partition("/consumer/")
    found = kinesis.find(stream or resource, now_ms)
    if not separator:
        return found, found.state.tags
    assert resource is not None
    if all(consumer.arn != resource for consumer in found.state.consumers.values()):
        raise ResourceNotFoundException(f"Consumer {resource} under account {ACCOUNT} not found.")
    return found, found.state.consumer_tags.setdefault(resource, {})


def check_tags(stored: Mapping[str, str], tags: Mapping[str, str] | None) -> None:
    """Refuse tags that may not be added to those that are there."""
    if not tags:
        return
    for key, value in tags.items():
        check(constraints.length("tags.key", key, 1, 128), constraints.length("tags.value", value, 0, 256))
        if key.lower().startswith("aws:"):
            raise InvalidArgumentException("Tag keys that begin with aws: are reserved for system use.")
        if not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
            raise InvalidArgumentException("Tags take letters, digits, white space and _ . : / = + - % @ alone.")
    if len(stored.keys() | tags.keys()) > MAX_TAGS:
        raise LimitExceededException(f"Failed to add tags: a stream cannot have more than {MAX_TAGS} tags.")

"""The registry on S3.

    models/MODEL/versions/VERSION/manifest.json    written last, and only if absent
    models/MODEL/versions/VERSION/FILE …           what the manifest names
    models/MODEL/current.json                      the pointer: which version serves, and which did before it

A version never changes. The pointer moves by a conditional put: of two people who promote at once, one is told to look again.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from clickstream.aws.boto_types import S3Client
from clickstream.errors import Missing, UserMistake
from clickstream.failures.outages import asked
from clickstream.failures.refusals import error_code
from clickstream.models.registry import manifest as manifests
from clickstream.models.registry.manifest import Description, Manifest, Version

#: Versions that the pointer remembers to roll back to.
REMEMBERED = 20
_MANIFEST = "manifest.json"
#: S3 has a key already, or another content than the one the condition named.
_CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """The version that serves, since ``promoted_at`` (ms); ``previous`` are those before it, the latest first.

    Version None: somebody rolled back to what decided before the first one.
    """

    version: str | None
    promoted_at: int
    previous: tuple[str, ...] = ()


class Registry:
    """Raises RetryLater when S3 does not answer, Missing for what is not there, UnusableModel for what is damaged."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def publish(self, model: str, files: Mapping[str, bytes], description: Description, *, now_ms: int) -> Manifest:
        """Store a new version; it serves nobody until it is promoted. The same content in the same second is stored once."""
        manifest = manifests.manifest_of(model, files, description, now_ms)
        if _MANIFEST in files:
            raise ValueError(f"{_MANIFEST} is the registry's own file")
        for name, data in files.items():
            # unconditional: the key holds the content's digest, so whoever wrote it before wrote the same
            self._put(self._key(model, manifest.version, name), data)
        stored = self._put(self._key(model, manifest.version, _MANIFEST), manifests.encode(manifest), IfNoneMatch="*")
        return manifest if stored else self.manifest(model, manifest.version)

    def versions(self, model: str) -> list[str]:
        """Every published version, the newest first."""
        prefix = f"models/{model}/versions/"
        with self._asked():
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return sorted((key.split("/")[-2] for key in keys if key.endswith(f"/{_MANIFEST}")), reverse=True)

    def manifest(self, model: str, version: str) -> Manifest:
        data = self._get(self._key(model, version, _MANIFEST))
        if data is None:
            raise Missing(f"there is no version {version} of {model}", hint=f"`clickstream models list {model}` shows them")
        manifest = manifests.decode(data[0])
        if (manifest.model, manifest.version) != (model, version):
            raise manifests.UnusableModel(f"{model} {version}: its manifest is of {manifest.model} {manifest.version}")
        return manifest

    def load(self, model: str, version: str) -> Version:
        """A version with its files, each compared with the manifest."""
        manifest = self.manifest(model, version)
        files: dict[str, bytes] = {}
        for name in manifest.files:
            stored = self._get(self._key(model, version, name))
            if stored is None:
                raise manifests.UnusableModel(f"{model} {version}: its file {name} is missing")
            manifests.check(manifest, name, stored[0])
            files[name] = stored[0]
        return Version(manifest, files)

    def current(self, model: str) -> Pointer | None:
        """What serves; None when no version was ever promoted."""
        found = self._pointer(model)
        return None if found is None else found[0]

    def promote(self, model: str, version: str, *, now_ms: int) -> Pointer:
        """Let a version serve. Raises UserMistake when somebody else moved the pointer at the same time."""
        self.load(model, version)  # a version that cannot be loaded must not be pointed at
        found = self._pointer(model)
        if found is None:
            return self._move(model, Pointer(version=version, promoted_at=now_ms), None)
        pointer, etag = found
        if pointer.version == version:
            return pointer
        previous = (pointer.version, *pointer.previous)[:REMEMBERED] if pointer.version else ()
        return self._move(model, Pointer(version=version, promoted_at=now_ms, previous=previous), etag)

    def rollback(self, model: str, *, now_ms: int) -> Pointer:
        """Let the version serve that did before the current one; before the first, none. Raises UserMistake if none serves."""
        found = self._pointer(model)
        if found is None or found[0].version is None:
            raise UserMistake(f"no version of {model} serves", hint=f"`clickstream models list {model}` shows all")
        pointer, etag = found
        before, *older = pointer.previous or (None,)
        if before is not None:
            self.load(model, before)
        return self._move(model, Pointer(version=before, promoted_at=now_ms, previous=tuple(older)), etag)

    def _move(self, model: str, pointer: Pointer, etag: str | None) -> Pointer:
        unmoved = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        if not self._put(_pointer_key(model), msgspec.json.encode(pointer), **unmoved):
            raise UserMistake(
                f"somebody else moved {model}'s pointer at the same time", hint="look with `clickstream models list`"
            )
        return pointer

    def _pointer(self, model: str) -> tuple[Pointer, str] | None:
        stored = self._get(_pointer_key(model))
        if stored is None:
            return None
        try:
            return msgspec.json.decode(stored[0], type=Pointer), stored[1]
        except msgspec.MsgspecError as error:
            raise manifests.UnusableModel(f"{model}: its pointer is damaged: {error}") from error

    def _key(self, model: str, version: str, name: str) -> str:
        return f"models/{model}/versions/{version}/{name}"

    def _asked(self) -> AbstractContextManager[None]:
        return asked("S3", f"bucket {self._bucket}")

    def _put(self, key: str, data: bytes, **condition: Any) -> bool:
        """False, and nothing stored, when the condition (S3's own words) does not hold."""
        with self._asked():
            try:
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, **condition)
            except ClientError as error:
                if error_code(error) not in _CONFLICTS:
                    raise
                return False
        return True

    def _get(self, key: str) -> tuple[bytes, str] | None:
        """The object's content and ETag; None when there is no such key."""
        with self._asked():
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=key)
            except self._s3.exceptions.NoSuchKey:
                return None
            return answer["Body"].read(), answer["ETag"]


def _pointer_key(model: str) -> str:
    return f"models/{model}/current.json"

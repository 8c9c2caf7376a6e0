"""What a version of a model is made of, and how it says so. Pure."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from clickstream.errors import Rejected

#: Of the manifest itself; a reader refuses one that is newer than it knows.
FORMAT = 1


class UnusableModel(Rejected):
    """A version that is cut, altered or not made for this code. Whoever serves goes on with the version that it has."""


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """``size`` in bytes; ``sha256`` in hexadecimal."""

    size: int
    sha256: str


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """What a version was trained on: ``[from_ms, to_ms]`` in event time, ``rows`` of it, and their digest (hexadecimal)."""

    source: str
    from_ms: int
    to_ms: int
    rows: int
    sha256: str


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a version that its trainer knows."""

    training: Training
    parameters: dict[str, Any] = {}
    features: list[str] = []
    """The inputs and their order; a scorer whose own list differs must refuse the version."""
    metrics: dict[str, float] = {}
    libraries: dict[str, str] = {}
    """Package → version, of those that a file's meaning may depend on."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One version. Written once, after its files; ``created_at`` in milliseconds since the epoch."""

    model: str
    version: str
    created_at: int
    files: dict[str, StoredFile]
    description: Description
    format: int = FORMAT


class Version(msgspec.Struct, frozen=True):
    """A version's manifest and its files' contents, which the manifest's digests have been compared with."""

    manifest: Manifest
    files: Mapping[str, bytes]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def manifest_of(model: str, files: Mapping[str, bytes], description: Description, now_ms: int) -> Manifest:
    """The manifest of a new version, named by its second and by its content: names order as the versions came."""
    stored = {name: StoredFile(size=len(data), sha256=digest(data)) for name, data in sorted(files.items())}
    content = digest(msgspec.json.encode((stored, description), order="sorted"))
    second = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    return Manifest(model=model, version=f"{second}-{content[:8]}", created_at=now_ms, files=stored, description=description)


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(data: bytes) -> Manifest:
    """Raises UnusableModel."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise UnusableModel(f"not a model's manifest: {error}") from error
    if manifest.format > FORMAT:
        raise UnusableModel(f"manifest format {manifest.format}: this code knows formats up to {FORMAT}")
    return manifest


def check(manifest: Manifest, name: str, data: bytes) -> None:
    """Raises UnusableModel when a file's content is not what was published."""
    expected = manifest.files[name]
    if len(data) != expected.size:
        raise UnusableModel(f"{manifest.model} {manifest.version}: {name} has {len(data)} bytes, not {expected.size}")
    if digest(data) != expected.sha256:
        raise UnusableModel(
            f"{manifest.model} {manifest.version}: {name} was altered: its checksum differs from the manifest's"
        )

"""The registry's promises, over S3 (moto): versions do not change, damage is refused, one pointer, no lost promotion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.errors import Missing, RetryLater, UserMistake
from clickstream.models.registry.following import Followed
from clickstream.models.registry.manifest import FORMAT, Description, Training, UnusableModel, Version
from clickstream.models.registry.s3 import Pointer, Registry
from clickstream.platform import MODELS
from clickstream.settings import Settings

SETTINGS = Settings()
BUCKET = MODELS.of(SETTINGS)
NOW_MS = 1_800_000_000_000
TRAINING = Training(source="clicks.txt", from_ms=1, to_ms=2, rows=3, sha256="00")
DESCRIPTION = Description(training=TRAINING, parameters={"k": 5}, features=["a", "b"], metrics={"recall": 0.5})


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    with mock_aws():
        made = Clients(SETTINGS)
        made.s3.create_bucket(Bucket=BUCKET)
        yield made


@pytest.fixture
def registry(clients: Clients) -> Registry:
    return Registry(clients.s3, BUCKET)


def publish(registry: Registry, content: bytes, seconds: int = 0) -> str:
    return registry.publish("tiny", {"weights.npz": content}, DESCRIPTION, now_ms=NOW_MS + seconds * 1000).version


def key(version: str, name: str) -> str:
    return f"models/tiny/versions/{version}/{name}"


def test_what_was_published_is_loaded(registry: Registry) -> None:
    version = publish(registry, b"one")
    loaded = registry.load("tiny", version)
    assert loaded.files == {"weights.npz": b"one"}
    assert loaded.manifest.description == DESCRIPTION
    assert loaded.manifest.created_at == NOW_MS
    assert version.startswith("20270115T080000Z-")


def test_versions_are_listed_newest_first_and_a_half_written_one_is_not_among_them(
    clients: Clients, registry: Registry
) -> None:
    versions = [publish(registry, str(n).encode(), n) for n in range(3)]
    clients.s3.put_object(Bucket=BUCKET, Key=key("20990101T000000Z-00000000", "weights.npz"), Body=b"no manifest yet")
    assert registry.versions("tiny") == versions[::-1]
    assert registry.versions("another") == []


def test_publishing_the_same_again_changes_nothing(registry: Registry) -> None:
    assert publish(registry, b"one") == publish(registry, b"one")
    assert len(registry.versions("tiny")) == 1
    assert publish(registry, b"two") not in (publish(registry, b"one"), None)


@pytest.mark.parametrize("damaged", [b"", b"on", b"0ne", b"one and more"])
def test_a_cut_or_altered_file_is_refused(clients: Clients, registry: Registry, damaged: bytes) -> None:
    version = publish(registry, b"one")
    clients.s3.put_object(Bucket=BUCKET, Key=key(version, "weights.npz"), Body=damaged)
    with pytest.raises(UnusableModel, match=version):
        registry.load("tiny", version)
    with pytest.raises(UnusableModel):
        registry.promote("tiny", version, now_ms=NOW_MS)
    assert registry.current("tiny") is None


def test_a_lost_file_or_a_manifest_of_a_later_format_is_refused(clients: Clients, registry: Registry) -> None:
    version = publish(registry, b"one")
    clients.s3.delete_object(Bucket=BUCKET, Key=key(version, "weights.npz"))
    with pytest.raises(UnusableModel, match=r"weights\.npz is missing"):
        registry.load("tiny", version)
    later = msgspec.structs.replace(registry.manifest("tiny", version), format=FORMAT + 1)
    clients.s3.put_object(Bucket=BUCKET, Key=key(version, "manifest.json"), Body=msgspec.json.encode(later))
    with pytest.raises(UnusableModel, match="format"):
        registry.load("tiny", version)
    clients.s3.put_object(Bucket=BUCKET, Key=key(version, "manifest.json"), Body=b"{")
    with pytest.raises(UnusableModel, match="manifest"):
        registry.load("tiny", version)


def test_promote_and_roll_back(registry: Registry) -> None:
    one, two, three = (publish(registry, name, n) for n, name in enumerate((b"one", b"two", b"three")))
    assert registry.current("tiny") is None
    with pytest.raises(UserMistake, match="no version of tiny serves"):
        registry.rollback("tiny", now_ms=NOW_MS)
    for n, version in enumerate((one, two, three, three)):
        registry.promote("tiny", version, now_ms=NOW_MS + n)
    assert registry.current("tiny") == Pointer(version=three, promoted_at=NOW_MS + 2, previous=(two, one))
    assert registry.rollback("tiny", now_ms=NOW_MS + 9).version == two
    assert registry.rollback("tiny", now_ms=NOW_MS + 10) == Pointer(version=one, promoted_at=NOW_MS + 10)
    assert registry.rollback("tiny", now_ms=NOW_MS + 11) == Pointer(version=None, promoted_at=NOW_MS + 11)
    with pytest.raises(UserMistake, match="no version of tiny serves"):
        registry.rollback("tiny", now_ms=NOW_MS)
    assert registry.promote("tiny", two, now_ms=NOW_MS + 12) == Pointer(version=two, promoted_at=NOW_MS + 12)
    with pytest.raises(Missing):
        registry.promote("tiny", "20200101T000000Z-00000000", now_ms=NOW_MS)


@pytest.mark.parametrize("first", [True, False])
def test_of_two_promotions_at_once_one_is_told(
    clients: Clients, registry: Registry, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    one, two, three = (publish(registry, name, n) for n, name in enumerate((b"one", b"two", b"three")))
    if not first:
        registry.promote("tiny", one, now_ms=NOW_MS)
    other = Registry(clients.s3, BUCKET)
    looked = registry._pointer

    def look_then_be_overtaken(model: str) -> Any:
        found = looked(model)
        other.promote(model, two, now_ms=NOW_MS + 1)
        return found

    monkeypatch.setattr(registry, "_pointer", look_then_be_overtaken)
    with pytest.raises(UserMistake, match="at the same time"):
        registry.promote("tiny", three, now_ms=NOW_MS + 2)
    pointer = other.current("tiny")
    assert pointer is not None
    assert pointer.version == two


def test_a_bucket_that_is_not_there_is_said(clients: Clients) -> None:
    with pytest.raises(Missing, match="no-such-bucket"):
        Registry(clients.s3, "no-such-bucket").current("tiny")


class Shelf:
    """Versions in memory, whose next answer may be an outage."""

    def __init__(self) -> None:
        self.pointer: Pointer | None = None
        self.down = False
        self.loads = 0

    def current(self, model: str) -> Pointer | None:
        if self.down:
            raise RetryLater("S3: down")
        return self.pointer

    def load(self, model: str, version: str) -> Version:
        self.loads += 1
        if "damaged" in version:
            raise UnusableModel("altered")
        return Version(manifest=None, files={"name": version.encode()})  # type: ignore[arg-type]  # not looked at

    def promote(self, version: str) -> None:
        self.pointer = Pointer(version=version, promoted_at=0)


def test_a_follower_swaps_when_it_looks_and_keeps_what_it_has_in_trouble() -> None:
    shelf = Shelf()
    followed = Followed(cast("Registry", shelf), "tiny", lambda version: version.files["name"].decode(), every_ms=10)
    assert (followed.look(0), followed.value) == (False, None)
    shelf.promote("one")
    assert (followed.look(9), followed.value) == (False, None)
    assert (followed.look(10), followed.value, followed.version) == (True, "one", "one")
    assert (followed.look(20), shelf.loads) == (False, 1)

    shelf.promote("damaged")
    assert (followed.look(30), followed.look(40), followed.value, shelf.loads) == (False, False, "one", 2)
    shelf.down = True
    assert (followed.look(50), followed.value) == (False, "one")
    shelf.down = False
    shelf.promote("two")
    assert (followed.look(60), followed.value) == (True, "two")
    # the clock was set back: look rather than wait for it to catch up
    shelf.promote("three")
    assert (followed.look(5), followed.value) == (True, "three")
    # taken back to what decided before the first
    shelf.pointer = Pointer(version=None, promoted_at=1)
    assert (followed.look(20), followed.value, followed.version) == (True, None, None)
    assert (followed.look(30), followed.value) == (False, None)

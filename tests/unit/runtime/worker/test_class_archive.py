"""A daemon with an archive of classes, with one that is broken, and without."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from clickstream.consumers.runtime.worker import java
from clickstream.settings import Settings

pytestmark = pytest.mark.java


@pytest.fixture(scope="module")
def binary() -> Path:
    home = os.environ.get("JAVA_HOME")
    return java.find(Settings(java_home=Path(home) if home else None))


def _loaded(binary: Path, folder: Path) -> tuple[str, str]:
    """What the daemon says when it is told nothing, and which classes it had from where."""
    options = java.command_line(binary, folder / "none", shards=1)
    options[1:1] = [f"-Xlog:class+load:file={folder / 'classes'}"]
    said = subprocess.run(
        options[: options.index(java.MAIN_CLASS) + 1], capture_output=True, text=True, check=False, timeout=60
    )
    assert "Properties file" in said.stderr + said.stdout
    return said.stderr + said.stdout, (folder / "classes").read_text()


def test_a_broken_archive_is_passed_over_without_a_word(binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "classes.jsa"
    monkeypatch.setattr(java, "class_archive", lambda _: archive)
    without, _ = _loaded(binary, tmp_path)
    archive.write_bytes(b"\0" * 100_000)
    assert _loaded(binary, tmp_path)[0] == without


def test_the_daemons_classes_come_from_the_archive_that_make_has_made(binary: Path, tmp_path: Path) -> None:
    if not java.class_archive(binary).exists():
        pytest.skip("no class archive: python -m clickstream.infra.images.class_archive")
    said, classes = _loaded(binary, tmp_path)
    (daemon,) = (line for line in classes.splitlines() if java.MAIN_CLASS in line.split())
    assert "source: shared objects file" in daemon, said


def test_another_jar_is_another_archive(binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / "a.jar"
    monkeypatch.setattr(java, "class_path", lambda: [jar])
    jar.write_bytes(b"one")
    first = java.class_archive(binary)
    assert java.class_archive(binary) == first
    jar.write_bytes(b"other")
    assert java.class_archive(binary) != first


def test_the_heap_follows_the_shards() -> None:
    assert java.heap_mib(16) == 1024, "a backlog of the largest records on 16 shards fits: test_large_backlog.py"
    assert java.heap_mib(1) == java.heap_mib(4) < java.heap_mib(5) < 512

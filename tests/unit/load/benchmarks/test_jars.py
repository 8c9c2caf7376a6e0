"""The peers' jars: where they cannot be had, a benchmark is told so in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickstream.load.benchmarks.harness.measure import Unavailable
from clickstream.load.benchmarks.rig import jars


@pytest.fixture(autouse=True)
def _nothing_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "_BUILD", tmp_path / "build")
    monkeypatch.setenv("PATH", str(tmp_path))


def _maven(folder: Path, script: str) -> None:
    (folder / "mvn").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "mvn").chmod(0o755)


def test_without_maven_there_are_no_jars() -> None:
    with pytest.raises(Unavailable, match="there is no Maven"):
        jars.kpl_jars()


def test_what_maven_says_of_its_failure_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    _maven(tmp_path, "echo '[INFO] on the way'; echo '[ERROR] Unknown host repo.maven.apache.org'; exit 1")

    with pytest.raises(Unavailable, match="Unknown host"):
        jars.kpl_jars()
    assert list((tmp_path / "build").iterdir()) == []


def test_what_was_fetched_once_is_not_fetched_again(tmp_path: Path) -> None:
    _maven(tmp_path, 'for word; do case $word in -DoutputDirectory=*) /bin/mkdir "${word#*=}";; esac; done')
    fetched = jars.kpl_jars()
    (tmp_path / "mvn").unlink()

    assert jars.kpl_jars() == fetched
    assert fetched.is_dir()


def test_without_a_compiler_nothing_is_compiled(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no Java compiler"):
        jars.compiled([], tmp_path, tmp_path / "classes")

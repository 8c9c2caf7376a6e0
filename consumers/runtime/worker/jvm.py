"""The command line of KCL's MultiLangDaemon, the JVM that holds the leases and reads the shards."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import msgspec

from clickstream.errors import Missing

MAIN_CLASS = "software.amazon.kinesis.multilang.MultiLangDaemon"
LOGBACK = Path(__file__).parent / "jars" / "logback.xml"
#: KCL's de-aggregation as it must be (AggregatorUtil.java, compiled); made by ``make aggregates``.
AGGREGATES = Path(__file__).parent / "jars" / "aggregates.jar"
#: How the JVM reads its arguments and names files follows the locale and nothing else: under LC_ALL=C, common in containers, it
#: would not find a folder whose name is not ASCII.
LOCALE = {"LC_ALL": "C.UTF-8"}


class JvmOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the daemon's JVM is run; docs/decisions/0005 says what was measured."""

    heap_start_mb: int = 64
    heap_limit_mb: int = 512
    """KCL prefetches up to 8 MiB a shard and encodes a batch as one string: enough for some 16 shards."""
    log_level: str = "WARN"


def class_path() -> list[Path]:
    """Our jar, which goes first, and those of the installed amazon_kclpy package; raises Missing."""
    package = find_spec("amazon_kclpy")
    folders = [] if package is None else [Path(folder) / "jars" for folder in package.submodule_search_locations or ()]
    jars = sorted(jar for folder in folders for jar in folder.glob("*.jar"))
    if not any(jar.name.startswith("amazon-kinesis-client-multilang-") for jar in jars):
        raise Missing("amazon_kclpy is installed without KCL's jars", hint="uv sync --reinstall-package amazon-kclpy")
    return [AGGREGATES, *jars]


def command_line(java: Path, properties: Path, options: JvmOptions) -> list[str]:
    """The arguments of the daemon's process; raises Missing when KCL's jars are not installed."""
    return [
        str(java),
        # the daemon writes partition keys to the shard processes in this encoding
        "-Dfile.encoding=UTF-8",
        "-Dsun.stdout.encoding=UTF-8",
        "-Dsun.stderr.encoding=UTF-8",
        f"-DKCL_LOG_LEVEL={options.log_level}",
        f"-Xms{options.heap_start_mb}m",
        f"-Xmx{options.heap_limit_mb}m",
        # a daemon that cannot allocate must die and be started again, not limp on with half of its threads
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:+UseSerialGC",
        # the second compiler costs a second of two cores at the start, and the pipe is no faster for it
        "-XX:TieredStopAtLevel=1",
        "-cp",
        ":".join(str(jar) for jar in class_path()),
        MAIN_CLASS,
        "--properties-file",
        str(properties),
        "--log-configuration",
        str(LOGBACK),
    ]

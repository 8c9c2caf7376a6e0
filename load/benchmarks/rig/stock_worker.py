"""Workers as amazon_kclpy's users start them: its daemon with KCL's defaults, and what their shards' processes report."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clickstream.consumers.runtime.worker import java, properties
from clickstream.consumers.runtime.worker.java import MAIN_CLASS
from clickstream.infra.local.processes import Process
from clickstream.load.benchmarks.rig.jars import KCL_JARS, QUIET_LOGBACK
from clickstream.load.benchmarks.rig.site import Site


def start(site: Site, application: str, name: str, child: Sequence[str], overrides: Mapping[str, str] | None = None) -> Process:
    """A worker with the sample's properties, and KCL's defaults for all that they do not name, but for ``overrides``."""
    settings = site.settings
    given = {
        "executableName": properties.executable_name([sys.executable, *child]),
        "streamName": settings.stream,
        "applicationName": application,
        "workerId": name,
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "processingLanguage": "python/3.11",
        "initialPositionInStream": "TRIM_HORIZON",
        "regionName": settings.region,
        "kinesisEndpoint": str(settings.endpoint("kinesis")),
        "dynamoDBEndpoint": str(settings.endpoint("dynamodb")),
        # fan-out, KCL's default, is another price; and KCL cannot be led to a local CloudWatch
        "retrievalMode": "POLLING",
        "metricsLevel": "NONE",
        **(overrides or {}),
    }
    file = site.folder / f"{application}-{name}.properties"
    file.write_text(properties.render(given))
    # amazon_kclpy's jars alone: ours are not the peer's
    command = [str(java.find(settings)), "-Dfile.encoding=UTF-8", "-cp", f"{KCL_JARS}/*", MAIN_CLASS]
    arguments = ["--properties-file", str(file), "--log-configuration", str(QUIET_LOGBACK)]
    return site.start(f"{application}-{name}", [*command, *arguments])


def reported(folder: Path) -> dict[str, int]:
    """Shard id → the number that its process has written last."""
    return {file.name: int(text) for file in folder.iterdir() if (text := file.read_text())}

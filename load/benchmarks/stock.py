"""Consumers as amazon_kclpy's sample is written, under its daemon with KCL's defaults: what ours are compared with.

``python -m load.benchmarks.stock FOLDER``: one shard's process. After each batch it writes the arrival time (ms) of its last
record to a file of the shard's name, by which to see from outside that the shard moves.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from amazon_kclpy import kcl, messages
from amazon_kclpy.checkpoint_error import CheckpointError
from amazon_kclpy.v3 import processor

from consumers.runtime.worker import java, properties
from consumers.runtime.worker.jvm import MAIN_CLASS, class_path
from infra.local.processes import Process
from load.benchmarks.site import Site

#: The sample's own.
_CHECKPOINT_S = 60.0


class SampleProcessor(processor.RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy ships no types
    """The sample's record processor: parse, note, checkpoint once a minute."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "unknown"
        self._checkpointed = time.monotonic()

    def initialize(self, initialize_input: messages.InitializeInput) -> None:
        self._file = self._folder / initialize_input.shard_id
        self._checkpointed = time.monotonic()

    def process_records(self, process_records_input: messages.ProcessRecordsInput) -> None:
        for record in process_records_input.records:
            json.loads(record.binary_data)
        if process_records_input.records:
            arrived = process_records_input.records[-1].approximate_arrival_timestamp
            self._file.write_text(str(int(arrived.timestamp() * 1000)))
        if time.monotonic() - self._checkpointed > _CHECKPOINT_S:
            self._checkpoint(process_records_input.checkpointer)

    def lease_lost(self, lease_lost_input: messages.LeaseLostInput) -> None:
        pass

    def shard_ended(self, shard_ended_input: messages.ShardEndedInput) -> None:
        self._checkpoint(shard_ended_input.checkpointer)

    def shutdown_requested(self, shutdown_requested_input: messages.ShutdownRequestedInput) -> None:
        self._checkpoint(shutdown_requested_input.checkpointer)

    def _checkpoint(self, checkpointer: kcl.Checkpointer) -> None:
        self._checkpointed = time.monotonic()
        try:
            checkpointer.checkpoint()
        except CheckpointError as error:
            print(f"checkpoint failed: {error.value}", file=sys.stderr)  # noqa: T201  # as the sample does


def start_worker(
    site: Site, application: str, name: str, child: Sequence[str], overrides: Mapping[str, str] | None = None
) -> Process:
    """A worker with the sample's properties, and KCL's defaults for all that they do not name, but for ``overrides``."""
    settings = site.settings
    told = {
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
    file.write_text(properties.render(told))
    jars = ":".join(str(jar) for jar in class_path())
    command = [str(java.find(settings)), "-Dfile.encoding=UTF-8", "-cp", jars, MAIN_CLASS, "--properties-file", str(file)]
    quiet = Path(__file__).with_name("quiet-logback.xml")
    return site.start(f"{application}-{name}", [*command, "--log-configuration", str(quiet)])


def numbers(folder: Path) -> dict[str, int]:
    """Shard id → the number that its process has written last."""
    return {file.name: int(text) for file in folder.iterdir() if (text := file.read_text())}


if __name__ == "__main__":
    kcl.KCLProcess(SampleProcessor(Path(sys.argv[1]))).run()

"""What one KCL worker is to do, and its ``.properties`` as a value: each setting of the MultiLangDaemon, and its reason.

Pure: the same arguments give the same text. No credential is ever among the values, since the Java side finds them as the AWS
CLI does. Keys that KCL does not know it ignores in silence, so every key here was checked against the setters of KCL 3.1.3.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import javaproperties
import msgspec

from clickstream.consumers.runtime.worker.restarts import RestartPolicy
from clickstream.errors import UserMistake
from clickstream.settings import Settings

Retrieval = Literal["polling", "fanout"]
InitialPosition = Literal["TRIM_HORIZON", "LATEST"]


#: KCL's limit for the drain. With KCL's default of 0 the JVM would end without a word to the shard processes.
SHUTDOWN_GRACE_MS = 30_000
#: Of one GetRecords call under polling: Kinesis's limit.
MOST_RECORDS = 10_000
#: A shard answers five GetRecords a second to all who read it: who polls has a share of four, and one is for who only looks.
SHARED_READ_MS = 250


class ShardProcesses(msgspec.Struct, frozen=True, kw_only=True):
    """How a shard's process comes to be: the command that KCL runs for each shard, and what must run beside KCL for that."""

    command: tuple[str, ...]
    companion: Callable[[Mapping[str, str]], int] | None = None
    requests: Path | None = None
    """A directory for the two to talk in."""


class WorkerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what a worker does."""

    application: str
    """The KCL application, which is also its lease table."""
    worker_id: str
    shards: ShardProcesses
    retrieval: Retrieval = "polling"
    initial_position: InitialPosition = "TRIM_HORIZON"
    max_records: int = MOST_RECORDS
    pollers: int = 1
    """How many applications poll this stream, this one among them."""
    restarts: RestartPolicy = RestartPolicy()
    tables: tuple[str, ...] = ()
    """Tables that the shard processes need; a missing one is reported before anything starts."""
    overrides: Mapping[str, str] = {}
    """Properties by a person's own hand: they win."""


def derive(plan: WorkerPlan, settings: Settings) -> dict[str, str]:
    """The properties of a worker of this plan.

    docs/decisions/0005 has the measurements behind the delays.
    """
    properties = {
        "applicationName": plan.application,
        "streamName": settings.stream,
        "regionName": settings.region,
        "workerId": plan.worker_id,
        "executableName": executable_name(plan.shards.command),
        "processingLanguage": f"python/{sys.version_info.major}.{sys.version_info.minor}",
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "initialPositionInStream": plan.initial_position,
        # an empty batch is the idle tick on which a shard flushes effects and moves its watermark
        "callProcessRecordsEvenForEmptyRecordList": "true",
        # Turns KCL's own hash range filter off for good. The filter asks ListShards when its cache cannot answer, and when that
        # call fails KCL skips the batch (docs/decisions/0009); our shard loop refuses what is foreign itself.
        "skipShardSyncAtWorkerInitializationIfLeasesExist": "true",
        # what KCL falls back to where the pin of clickstream.consumers.runtime.worker.leases is missing
        "clientVersionConfig": "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X",
        # A lease whose owner was silent for so long is free. KCL looks every 2 x failover + 50 ms and renews every third of it.
        "failoverTimeMillis": "2000",
        # counts only when an application was rolled forward to KCL 3's own lease assignment, as the next one does
        "leaseAssignmentIntervalMillis": "1000",
        "workerMetricsReporterFreqInMillis": "1000",
        # how often a child shard looks whether its parents are done (KCL: 10000)
        "parentShardPollIntervalMillis": "1000",
        "shutdownGraceMillis": str(SHUTDOWN_GRACE_MS),
        **_retrieval(plan),
    }
    for service, key in (("kinesis", "kinesisEndpoint"), ("dynamodb", "dynamoDBEndpoint")):
        if (url := settings.endpoint(service)) is not None:
            properties[key] = url
    if is_local(settings):
        # KCL has no property for a CloudWatch endpoint, and slow calls are no cost on an embedded Kinesis
        properties |= {"metricsLevel": "NONE", "shardSyncIntervalMillis": "1000"}
    else:
        properties["metricsLevel"] = "SUMMARY"
    return properties | dict(plan.overrides)


def _retrieval(plan: WorkerPlan) -> dict[str, str]:
    if plan.retrieval == "fanout":
        return {"retrievalMode": "FANOUT", "fanoutConfig.consumerName": plan.application}
    return {
        "retrievalMode": "POLLING",
        # the biggest part of put-to-effect latency under polling (docs/decisions/0043)
        "idleTimeBetweenReadsInMillis": str(SHARED_READ_MS * plan.pollers),
        "maxRecords": str(plan.max_records),
    }


def is_local(settings: Settings) -> bool:
    """True when Kinesis or DynamoDB is reached at an address that is not AWS's (a VPC endpoint is)."""
    urls = filter(None, (settings.endpoint("kinesis"), settings.endpoint("dynamodb")))
    return any(not (urlsplit(url).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn")) for url in urls)


def executable_name(command: Sequence[str]) -> str:
    """One command line for KCL, which splits it at white space and knows no quoting.

    An argument with white space (a home directory, say) goes through a shell, whose own ``IFS`` supplies the blanks.
    """
    if not any(re.search(r"\s", argument) for argument in command):
        return " ".join(command)
    words = "${IFS}".join(_without_blanks(argument) for argument in command)
    return f"/bin/sh -c exec${{IFS}}{words}"


def _without_blanks(argument: str) -> str:
    """A word that a shell reads as ``argument``, itself without white space."""
    if re.fullmatch(r"[\w./=:@,+-]+", argument, re.ASCII):
        return argument
    octal = "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03o}" for byte in argument.encode())
    return f"\"$(printf${{IFS}}'{octal}')\""


def render(properties: Mapping[str, str]) -> str:
    """The text of a ``.properties`` file: pure ASCII."""
    return javaproperties.dumps(properties, timestamp=False)


def parse(text: str) -> dict[str, str]:
    """A person's own ``.properties`` file. Raises UserMistake."""
    try:
        return javaproperties.loads(text)
    except javaproperties.InvalidUEscapeError as error:
        raise UserMistake(f"the properties have a broken escape: {error}") from error

"""What one KCL worker is to do, and its ``.properties`` as a value: each setting of the MultiLangDaemon, and its reason.

Pure: the same arguments give the same text. No credential is ever among the values, since the Java side finds them as the AWS
CLI does. Keys that KCL does not know it ignores in silence, so every key here was checked against the setters of KCL 3.1.3.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

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


class ShardProcesses(msgspec.Struct, frozen=True, kw_only=True):
    """How a shard's process comes to be: the command that KCL runs for each shard, and what must run beside KCL for that."""

    command: tuple[str, ...]
    companion: tuple[str, ...] | None = None
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
        # the biggest part of put-to-effect latency under polling; KCL raises anything below 200
        "idleTimeBetweenReadsInMillis": "250",
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
    """The text of a ``.properties`` file that ``java.util.Properties.load`` reads back as the same mapping: pure ASCII."""
    return "".join(f"{_escape(key, key=True)}={_escape(value)}\n" for key, value in properties.items())


_NAMED = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}


def _escape(text: str, *, key: bool = False) -> str:
    escaped = []
    for place, character in enumerate(text):
        if character in _NAMED:
            escaped.append(_NAMED[character])
        elif character == " " and (key or place == 0):
            escaped.append("\\ ")  # blanks end a key, and are dropped in front of a value
        elif key and character in "=:#!":
            escaped.append("\\" + character)
        elif " " <= character <= "~":
            escaped.append(character)
        else:
            units = character.encode("utf-16-be", "surrogatepass")
            escaped.extend(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
    return "".join(escaped)


def parse(text: str) -> dict[str, str]:
    """The lines of a person's own ``.properties`` file: ``key = value``, comments with # or !, Java's escapes.

    Raises UserMistake with the line's number. A line that ends with a backslash goes on in the next, as in Java.
    """
    properties: dict[str, str] = {}
    logical, first = "", 0
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        stripped = line.lstrip()
        if not logical:
            if not stripped or stripped[0] in "#!":
                continue
            first = number
        logical += stripped
        if (len(logical) - len(logical.rstrip("\\"))) % 2:
            logical = logical[:-1]
            continue
        key, value = _split(logical, first)
        properties[key] = value
        logical = ""
    return properties


def _split(line: str, number: int) -> tuple[str, str]:
    found = re.match(r"((?:\\.|[^\\=:\s])+)\s*[=:]?\s*(.*)\Z", line, re.DOTALL)
    if found is None:
        raise UserMistake(f"line {number} of the properties is no `key = value`: {line[:60]}")
    try:
        return _unescape(found[1]), _unescape(found[2])
    except ValueError as error:
        raise UserMistake(f"line {number} of the properties has a broken \\u escape") from error


def _unescape(text: str) -> str:
    characters = re.sub(r"\\(u[0-9a-fA-F]{4}|.)", lambda found: _character(found[1]), text, flags=re.DOTALL)
    # a pair of \u escapes may be one character beyond the first 65,536
    return characters.encode("utf-16", "surrogatepass").decode("utf-16")


def _character(escape: str) -> str:
    if escape.startswith("u"):
        return chr(int(escape[1:], 16))  # without four digits behind it: ValueError
    return {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}.get(escape, escape)

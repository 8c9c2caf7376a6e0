"""What is watched: every alarm as data, with the section of docs/runbook.md that says what to do when it rings.

Thresholds come from what the platform promises (docs/explanation/delivery.md), not from what a metric happens to do.
"""

from __future__ import annotations

from clickstream import platform
from clickstream.consumers.needs import applications, declared
from clickstream.infra.stages import Stage
from clickstream.needs import Alarm
from clickstream.telemetry.emf import NAMESPACE, name_of


def lag_query(stage: Stage, application: str) -> str:
    """Milliseconds that the slowest shard of an application is behind, as KCL reports it."""
    kcl = stage.settings.application(application)
    return f"SELECT MAX(MillisBehindLatest) FROM SCHEMA(\"{kcl}\", Operation, ShardId) WHERE Operation = 'ProcessTask'"


def _stream(stage: Stage) -> list[Alarm]:
    dimensions = {"StreamName": stage.settings.stream}
    return [
        Alarm(
            name="stream-throttled",
            section="the-stream-throttles",
            says="Kinesis refuses writes: a shard is over 1 MB/s or 1,000 records/s",
            namespace="AWS/Kinesis",
            metric="WriteProvisionedThroughputExceeded",
            dimensions=dimensions,
            threshold=10,
            periods=3,
        ),
        Alarm(
            name="stream-iterator-age",
            section="an-application-is-behind",
            says="somebody reads the stream half of its retention behind: records will be lost when they expire",
            namespace="AWS/Kinesis",
            metric="GetRecords.IteratorAgeMilliseconds",
            dimensions=dimensions,
            statistic="Maximum",
            threshold=stage.stream.retention_hours * 3_600_000 / 2,
            periods=2,
        ),
    ]


def lag(stage: Stage, application: str) -> Alarm:
    """An application that is further behind than its stage allows, for three minutes."""
    return Alarm(
        name=f"{application}-behind",
        section="an-application-is-behind",
        says=f"{application} has been more than {stage.lag_s} s behind for three minutes",
        namespace="",
        metric="",
        query=lag_query(stage, application),
        statistic="Maximum",
        threshold=stage.lag_s * 1000,
        periods=3,
    )


def _forbidden(application: str) -> Alarm:
    """Any of its shards: who waits for a permission makes no commit, so its process tells it each minute."""
    return Alarm(
        name=f"{application}-forbidden",
        section="a-shard-may-not-do-its-work",
        says=f"{application} waits: AWS does not allow it something, or a key or resource is away; nothing is lost yet",
        namespace=NAMESPACE,
        metric=name_of("clickstream_forbidden"),
        dimensions={"application": application},
        statistic="Maximum",
        periods=2,
    )


def _service(stage: Stage, program: str) -> list[Alarm]:
    dimensions = {"ClusterName": stage.settings.name, "ServiceName": f"{stage.settings.name}-{program}"}
    return [
        Alarm(
            name=f"{program}-not-running",
            section="a-service-does-not-run",
            says=f"no task of {program} runs, or it cannot be started",
            namespace="ECS/ContainerInsights",
            metric="RunningTaskCount",
            dimensions=dimensions,
            statistic="Minimum",
            threshold=1,
            periods=3,
            below=True,
        ),
        Alarm(
            name=f"{program}-memory",
            section="a-service-runs-out-of-memory",
            says=f"{program} uses more than 90 % of its memory",
            namespace="AWS/ECS",
            metric="MemoryUtilization",
            dimensions=dimensions,
            statistic="Maximum",
            threshold=90,
            periods=5,
        ),
    ]


def _dies(application: str) -> Alarm:
    return Alarm(
        name=f"{application}-dies",
        section="a-worker-dies",
        says=f"a worker of {application} ended by itself three times while its shards did not move",
        namespace=NAMESPACE,
        metric=name_of("clickstream_worker_deaths"),
        dimensions={"application": application},
        statistic="Maximum",
        threshold=2,
        period_s=300,
    )


def _tables(stage: Stage) -> list[Alarm]:
    return [
        Alarm(
            name=f"{table.suffix}-throttled",
            section="a-table-throttles",
            says=f"DynamoDB refuses writes to {table.of(stage.settings)}: who writes there waits and tries again",
            namespace="AWS/DynamoDB",
            metric="WriteThrottleEvents",
            dimensions={"TableName": table.of(stage.settings)},
            periods=3,
        )
        for table in (*platform.TABLES, *(table for needs in declared() for table in needs.tables))
    ]


def _gateway(stage: Stage) -> list[Alarm]:
    dimensions = {"ApiName": stage.settings.name}
    return [
        Alarm(
            name="gateway-errors",
            section="the-gateway-answers-with-errors",
            says="clients get 5xx: events are refused, clients repeat them",
            namespace="AWS/ApiGateway",
            metric="5XXError",
            dimensions=dimensions,
            statistic="Average",
            threshold=0.01,
            periods=3,
        ),
        Alarm(
            name="gateway-slow",
            section="the-gateway-is-slow",
            says="one request of a hundred takes longer than two seconds",
            namespace="AWS/ApiGateway",
            metric="Latency",
            dimensions=dimensions,
            statistic="p99",
            threshold=2_000,
            periods=5,
        ),
    ]


def plain(stage: Stage) -> list[Alarm]:
    """The alarms over one metric each."""
    names = list(applications())
    letters = Alarm(
        name="dead-letters",
        section="there-are-dead-letters",
        says="records that are no events, or effects that no store takes, wait in the dead-letter queue",
        namespace="AWS/SQS",
        metric="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": platform.DEAD_LETTERS.of(stage.settings)},
        statistic="Maximum",
    )
    services = [alarm for program in (*names, "collector", "serving") for alarm in _service(stage, program)]
    forbidden, dying = [_forbidden(name) for name in names], [_dies(name) for name in names]
    own = [alarm.of(stage.settings) for needs in declared() for alarm in needs.alarms]
    return [*_stream(stage), letters, *services, *forbidden, *dying, *own, *_tables(stage), *_gateway(stage)]


def lags(stage: Stage) -> list[Alarm]:
    return [lag(stage, application) for application in applications()]

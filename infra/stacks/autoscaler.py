"""The auto-scaler of the stream's shards: `clickstream shards advise` once a minute, and the advice taken if it may be."""

from __future__ import annotations

from aws_cdk import CfnParameter, Duration, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from constructs import Construct

from clickstream.infra import permissions
from clickstream.infra.stacks.parts.function import Function, Release
from clickstream.settings import Settings


class AutoscalerStack(Stack):
    """``function``; ``acts`` False only writes its advice to the log."""

    def __init__(
        self, scope: Construct, name: str, *, env: Environment, settings: Settings, key: kms.IKey, releases: str, acts: bool
    ) -> None:
        super().__init__(scope, name, env=env)
        parameter = CfnParameter(self, "Release", description="The functions' archive: the commit it was built from")
        self.function = Function(
            self,
            "Autoscaler",
            release=Release(self, "Code", bucket=releases, release=parameter.value_as_string),
            handler="clickstream.operating.autoscaler.handler",
            role=permissions.autoscaler(settings),
            settings=settings,
            key=key,
            timeout=Duration.seconds(50),
            environment={"CLICKSTREAM_AUTOSCALE": "true" if acts else "false"},
        ).function
        # one change at a time: a second run would see the stream as it was before the first
        self.function.configure_async_invoke(retry_attempts=0)
        events.Rule(
            self,
            "EveryMinute",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[targets.LambdaFunction(self.function)],
        )

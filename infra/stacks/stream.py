"""The stream, and the key that everything at rest is encrypted with."""

from __future__ import annotations

from aws_cdk import Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from constructs import Construct

from clickstream.infra.stacks.parts.exceptions import accept
from clickstream.infra.stages import StreamPlan
from clickstream.settings import Settings

#: Services that deliver into encrypted queues by themselves, and so need the key.
_DELIVERING = ("sns.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com")


class StreamStack(Stack):
    """``key`` and ``stream``."""

    def __init__(
        self, scope: Construct, name: str, *, env: Environment, settings: Settings, plan: StreamPlan, removal: RemovalPolicy
    ) -> None:
        super().__init__(scope, name, env=env)
        self.key = kms.Key(
            self,
            "Key",
            alias=f"alias/{settings.name}",
            enable_key_rotation=True,
            removal_policy=removal,
            description=f"Everything that {settings.name} keeps",
        )
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DeliveryIntoEncryptedQueues",
                principals=[iam.ServicePrincipal(service) for service in _DELIVERING],
                actions=["kms:GenerateDataKey*", "kms:Decrypt"],
                resources=["*"],
            )
        )
        on_demand = plan.shards is None
        self.stream = kinesis.Stream(
            self,
            "Stream",
            stream_name=settings.stream,
            stream_mode=kinesis.StreamMode.ON_DEMAND if on_demand else kinesis.StreamMode.PROVISIONED,
            shard_count=plan.shards,
            retention_period=Duration.hours(plan.retention_hours),
            encryption=kinesis.StreamEncryption.KMS,
            encryption_key=self.key,
            removal_policy=removal,
        )
        accept(self.stream, "KDS3", "a key of ours: its policy decides who reads events, its deletion erases them all")

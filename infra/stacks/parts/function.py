"""One Lambda function of ours: code from a release's archive, logs, tracing and a role of its own."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from clickstream.infra.permissions import Role
from clickstream.infra.stacks.parts.exceptions import accept
from clickstream.infra.stacks.parts.granting import grant
from clickstream.settings import Settings

RUNTIME = lambda_.Runtime.PYTHON_3_14


class Release(Construct):
    """Where the code of a release lies: ``functions/<release>.zip`` in the releases' bucket."""

    def __init__(self, scope: Construct, name: str, *, bucket: str, release: str) -> None:
        super().__init__(scope, name)
        self.release = release
        self.code = lambda_.Code.from_bucket(s3.Bucket.from_bucket_name(self, "Bucket", bucket), f"functions/{release}.zip")


class Function(Construct):
    """``function`` runs ``handler``; what it may do is ``role`` and no more."""

    def __init__(
        self,
        scope: Stack,
        name: str,
        *,
        release: Release,
        handler: str,
        role: Role,
        settings: Settings,
        key: kms.IKey,
        timeout: Duration,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, name)
        full_name = f"{settings.name}-{role.name}"
        log_group = logs.LogGroup(
            self, "Logs", log_group_name=f"/{settings.name}/{role.name}", retention=logs.RetentionDays.ONE_MONTH
        )
        # made here, since the one that comes with a function may write to every log group of the account
        own = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(own)
        accept(self, "IAM5[Resource::*]", "X-Ray's actions know no resources")
        grant(role, own, self, key)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=full_name,
            runtime=RUNTIME,
            architecture=lambda_.Architecture.X86_64,
            code=release.code,
            handler=handler,
            timeout=timeout,
            memory_size=256,
            tracing=lambda_.Tracing.ACTIVE,
            environment={
                "CLICKSTREAM_NAME": settings.name,
                "POWERTOOLS_SERVICE_NAME": full_name,
                **(environment or {}),
            },
            log_group=log_group,
            role=own,
        )

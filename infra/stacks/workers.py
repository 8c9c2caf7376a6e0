"""One Fargate service per application: each task is a KCL worker, and the workers of an application share its shards."""

from __future__ import annotations

from aws_cdk import CfnParameter, Environment, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from clickstream.consumers.needs import applications
from clickstream.infra import permissions
from clickstream.infra.stacks.parts.service import Service
from clickstream.infra.stages import Stage


class WorkersStack(Stack):
    """``services`` by application."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        env: Environment,
        stage: Stage,
        cluster: ecs.ICluster,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, name, env=env)
        release = CfnParameter(self, "Release", description="The images' tag: the commit they were built from")
        needed = applications()
        # made by hand before the first deployment: a worker does not start without its webhooks' URLs
        urls = (
            {
                "CLICKSTREAM_WEBHOOKS": ecs.Secret.from_secrets_manager(
                    secretsmanager.Secret.from_secret_name_v2(self, "Webhooks", f"{stage.settings.name}/webhooks")
                )
            }
            if any(needs.webhooks for needs in needed.values())
            else {}
        )
        self.services = {
            application: Service(
                self,
                application.capitalize(),
                cluster=cluster,
                image="worker",
                release=release.value_as_string,
                command=[application],
                health=".local/workers",
                role=permissions.worker(stage.settings, application),
                size=stage.size(application),
                settings=stage.settings,
                key=key,
                secrets=urls if needs.webhooks else None,
            )
            for application, needs in needed.items()
        }

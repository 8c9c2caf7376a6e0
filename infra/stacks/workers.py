"""One Fargate service per application: each task is a KCL worker, and the workers of an application share its shards."""

from __future__ import annotations

import msgspec
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
    """``services`` by application; ``webhooks``: the secret with their URLs, for those that need it."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        env: Environment,
        stage: Stage,
        cluster: ecs.ICluster,
        key: kms.IKey,
        webhooks: secretsmanager.ISecret | None,
    ) -> None:
        super().__init__(scope, name, env=env)
        release = CfnParameter(self, "Release", description="The images' tag: the commit they were built from")
        urls = {} if webhooks is None else {"CLICKSTREAM_WEBHOOKS": ecs.Secret.from_secrets_manager(webhooks)}
        polling = msgspec.structs.replace(stage.settings, pollers=len(applications().keys() - stage.fanout))
        self.services = {
            application: Service(
                self,
                application.capitalize(),
                cluster=cluster,
                image="worker",
                release=release.value_as_string,
                command=[application, *(["--retrieval", "fanout"] if application in stage.fanout else [])],
                health=".local/workers",
                role=permissions.worker(stage.settings, application),
                size=stage.size(application),
                settings=polling,
                key=key,
                secrets=urls if needs.webhooks else None,
            )
            for application, needs in applications().items()
        }

"""One ECS Fargate service of ours: the same hardening for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from clickstream.infra.permissions import Role
from clickstream.infra.stacks.parts.exceptions import accept
from clickstream.infra.stacks.parts.granting import grant
from clickstream.infra.stages import STOP_TIMEOUT_S, Size
from clickstream.settings import Settings

#: Writable places in an otherwise read-only container.
_SCRATCH = ("/tmp", "/app/.local")


class Service(Construct):
    """``service``, ``security_group`` and ``task_role`` of a program in a container.

    ``image`` names the repository ``clickstream/<image>``; its tag is the release, the commit that the pipeline built.
    ``health`` is what infra/images/healthy.py looks at: ECS does not read the image's own HEALTHCHECK.
    """

    def __init__(
        self,
        scope: Stack,
        name: str,
        *,
        cluster: ecs.ICluster,
        image: str,
        release: str,
        command: Sequence[str],
        role: Role,
        size: Size,
        settings: Settings,
        key: kms.IKey,
        health: str,
        port: int | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
    ) -> None:
        super().__init__(scope, name)
        log_group = logs.LogGroup(
            self, "Logs", log_group_name=f"/{settings.name}/{role.name}", retention=logs.RetentionDays.ONE_MONTH
        )
        self.task = ecs.FargateTaskDefinition(
            self,
            "Task",
            family=f"{settings.name}-{role.name}",
            cpu=size.cpu,
            memory_limit_mib=size.memory_mib,
            volumes=[ecs.Volume(name=_volume(path)) for path in _SCRATCH],
        )
        grant(role, self.task.task_role, self, key)
        accept(self.task, "ECS2", "names, a format and a log level; what is secret comes from Secrets Manager")
        accept(self.task, "IAM5[Resource::*]", "ecr:GetAuthorizationToken knows no resources")
        container = self.task.add_container(
            role.name,
            image=ecs.ContainerImage.from_ecr_repository(
                ecr.Repository.from_repository_name(self, "Repository", f"clickstream/{image}"), release
            ),
            command=list(command),
            environment={
                "CLICKSTREAM_NAME": settings.name,
                "CLICKSTREAM_LOG_LEVEL": "INFO",
                "CLICKSTREAM_RECORDS": settings.records,
                "AWS_REGION": scope.region,
                **({"CLICKSTREAM_POLLERS": str(settings.pollers)} if settings.pollers else {}),
            },
            secrets=None if secrets is None else dict(secrets),
            logging=ecs.LogDrivers.aws_logs(stream_prefix=role.name, log_group=log_group),
            # SIGTERM drains; whoever is killed before it is done repeats what one commit interval held
            stop_timeout=Duration.seconds(STOP_TIMEOUT_S),
            readonly_root_filesystem=True,
            linux_parameters=ecs.LinuxParameters(self, "Linux", init_process_enabled=True),
            health_check=ecs.HealthCheck(
                command=["CMD", ".venv/bin/python", "healthy.py", health],
                interval=Duration.seconds(10),
                timeout=Duration.seconds(5),
                start_period=Duration.seconds(60),
            ),
            port_mappings=[] if port is None else [ecs.PortMapping(container_port=port)],
        )
        container.add_mount_points(
            *(ecs.MountPoint(container_path=path, source_volume=_volume(path), read_only=False) for path in _SCRATCH)
        )
        self.security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=cluster.vpc, description=f"Tasks of {settings.name} {role.name}"
        )
        self.service = ecs.FargateService(
            self,
            "Service",
            service_name=f"{settings.name}-{role.name}",
            cluster=cluster,
            task_definition=self.task,
            desired_count=size.least,
            security_groups=[self.security_group],
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            # a worker's shards move while the next one comes; a start that fails rolls back by itself
            min_healthy_percent=100 if port is not None else 50,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )

    @property
    def task_role(self) -> iam.IRole:
        return self.task.task_role


def _volume(path: str) -> str:
    return path.strip("/").replace("/", "-").replace(".", "")

"""The two programs that answer HTTP, the collector and the read side, behind one internal network load balancer."""

from __future__ import annotations

from aws_cdk import CfnParameter, Duration, Environment, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from clickstream.infra import permissions
from clickstream.infra.stacks.parts.exceptions import accept
from clickstream.infra.stacks.parts.service import Service
from clickstream.infra.stages import Stage

COLLECTOR_PORT = 8081
SERVING_PORT = 8080
_NO_KEYS = '{"keys": []}'


class WebStack(Stack):
    """``collector``, ``serving`` and the ``balancer`` before them, which has a listener on the port of each."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        env: Environment,
        stage: Stage,
        vpc: ec2.IVpc,
        cluster: ecs.ICluster,
        key: kms.IKey,
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name, env=env)
        self._vpc = vpc
        release = CfnParameter(self, "Release", description="The images' tag: the commit they were built from").value_as_string
        # both are needed before the first start: who may send, and what addresses and cards are hashed with
        keys = secretsmanager.Secret(
            self,
            "CollectorKeys",
            secret_name=f"{stage.settings.name}/collector-keys",
            description="The file of `clickstream collect keys`: names, rates and hashes of the API keys",
            secret_string_value=SecretValue.unsafe_plain_text(_NO_KEYS),  # nobody may send yet: there is nothing to hide
            removal_policy=removal,
        )
        hash_key = secretsmanager.Secret(
            self,
            "HashKey",
            secret_name=f"{stage.settings.name}/hash-key",
            description="Behind the fingerprints of addresses and cards; a new one makes every visitor a stranger",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=removal,
        )
        token = secretsmanager.Secret(
            self,
            "DashboardToken",
            secret_name=f"{stage.settings.name}/dashboard-token",
            description="The login of the dashboard; a new one ends all sessions",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=48, exclude_punctuation=True),
            removal_policy=removal,
        )
        by_hand = "changed by a person who tells the clients, or never: docs/runbook.md, rotate keys"
        accept(keys, "SMG4", by_hand)
        accept(hash_key, "SMG4", by_hand)
        accept(token, "SMG4", by_hand)
        self.collector = Service(
            self,
            "Collector",
            cluster=cluster,
            image="collector",
            release=release,
            command=["--trusted-proxy", vpc.vpc_cidr_block],
            health=f"http://127.0.0.1:{COLLECTOR_PORT}/healthz",
            role=permissions.collector(stage.settings),
            size=stage.collector,
            settings=stage.settings,
            key=key,
            port=COLLECTOR_PORT,
            secrets={
                "COLLECTOR_KEYS": ecs.Secret.from_secrets_manager(keys),
                "CLICKSTREAM_HASH_KEY": ecs.Secret.from_secrets_manager(hash_key),
            },
        )
        self.serving = Service(
            self,
            "Serving",
            cluster=cluster,
            image="serving",
            release=release,
            command=[],
            health=f"http://127.0.0.1:{SERVING_PORT}/healthz",
            role=permissions.serving(stage.settings),
            size=stage.serving,
            settings=stage.settings,
            key=key,
            port=SERVING_PORT,
            secrets={
                "CLICKSTREAM_DASHBOARD_TOKEN": ecs.Secret.from_secrets_manager(token),
                # what the gateway has let in with a client's key, it passes on with that key
                "COLLECTOR_KEYS": ecs.Secret.from_secrets_manager(keys),
            },
        )
        self.balancer = self._balancer(stage)
        self.targets = {
            "collector": self._listen("Collector", self.collector, COLLECTOR_PORT, "/readyz"),
            # its /readyz tells of the workers too, and a dashboard is needed most while they are silent
            "serving": self._listen("Serving", self.serving, SERVING_PORT, "/healthz"),
        }

    def _balancer(self, stage: Stage) -> elb.NetworkLoadBalancer:
        group = ec2.SecurityGroup(
            self, "BalancerSecurityGroup", vpc=self._vpc, description="The balancer behind the VPC link of the gateway"
        )
        balancer = elb.NetworkLoadBalancer(
            self,
            "Balancer",
            vpc=self._vpc,
            internet_facing=False,
            security_groups=[group],
            # the gateway's VPC link comes from outside the VPC; only it can, since the balancer is internal
            enforce_security_group_inbound_rules_on_private_link_traffic=False,
            deletion_protection=stage.keeps_data,
            cross_zone_enabled=True,
        )
        accept(balancer, "ELB2", "a network load balancer logs TLS alone; the gateway before it logs every request")
        return balancer

    def _listen(self, name: str, service: Service, port: int, health: str) -> elb.NetworkTargetGroup:
        service.security_group.connections.allow_from(self.balancer, ec2.Port.tcp(port), "From the balancer")
        return self.balancer.add_listener(name, port=port, protocol=elb.Protocol.TCP).add_targets(
            f"{name}Targets",
            port=port,
            targets=[service.service],
            deregistration_delay=Duration.seconds(20),  # as long as the collector answers what it has begun
            health_check=elb.HealthCheck(
                protocol=elb.Protocol.HTTP,
                path=health,
                interval=Duration.seconds(10),
                healthy_threshold_count=2,
                unhealthy_threshold_count=2,
            ),
        )

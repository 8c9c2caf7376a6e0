"""The CDK app.

``python -m clickstream.infra.app STAGE`` writes a stage's stacks to ``cdk.out/STAGE``, without credentials or network.

Stacks refer to each other by the names that Settings gives, so each can be deployed, and rolled back, by itself; the order of
the first deployment is theirs below.
"""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
import click
import msgspec
from aws_cdk import RemovalPolicy
from aws_cdk.aws_elasticloadbalancingv2 import NetworkLoadBalancer
from cdk_nag import AwsSolutionsChecks

from clickstream.consumers.needs import declared
from clickstream.infra import watching
from clickstream.infra.stacks.alarms import AlarmsStack
from clickstream.infra.stacks.autoscaler import AutoscalerStack
from clickstream.infra.stacks.catalogue import CatalogueStack
from clickstream.infra.stacks.delivery import DeliveryStack
from clickstream.infra.stacks.functions import FunctionsStack
from clickstream.infra.stacks.gateway import GatewayStack
from clickstream.infra.stacks.network import NetworkStack
from clickstream.infra.stacks.parts.scaling import ScalingStack
from clickstream.infra.stacks.stores import StoresStack
from clickstream.infra.stacks.stream import StreamStack
from clickstream.infra.stacks.web import WebStack
from clickstream.infra.stacks.workers import WorkersStack
from clickstream.infra.stages import STAGES, Stage, Upstream

RELEASES = "clickstream-releases"
#: Access logs are let into their bucket by its policy, not by an ACL.
_FLAGS = {"@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pipeline gets commits from."""

    repository: str = "shop/clickstream"
    branch: str = "main"
    connection_arn: str = "arn:aws:codeconnections:us-east-1:111111111111:connection/00000000-0000-0000-0000-000000000000"


def build(stage: Stage, outdir: Path, *, checked: bool = True) -> cdk.App:
    """All stacks of a stage; ``checked`` runs cdk-nag over them at :meth:`synth`, which then raises for what it finds."""
    app = _app(outdir, checked)
    add_stage(app, stage)
    return app


def build_delivery(source: Source, stages: list[Stage], outdir: Path, *, checked: bool = True) -> cdk.App:
    """The pipeline that deploys these stages in turn."""
    app = _app(outdir, checked)
    DeliveryStack(
        app,
        "clickstream-delivery",
        env=cdk.Environment(region=stages[0].settings.region),
        repository=source.repository,
        branch=source.branch,
        connection_arn=source.connection_arn,
        releases=RELEASES,
        stages=stages,
    )
    return app


def _app(outdir: Path, checked: bool) -> cdk.App:
    app = cdk.App(outdir=str(outdir), analytics_reporting=False, context=_FLAGS)
    if checked:
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def add_stage(app: cdk.App, stage: Stage) -> None:
    """The stacks, in the order of a first deployment."""
    settings = stage.settings
    removal = RemovalPolicy.RETAIN if stage.keeps_data else RemovalPolicy.DESTROY
    env = cdk.Environment(region=settings.region)

    def named(part: str) -> str:
        return f"{settings.name}-{part}"

    stream = StreamStack(app, named("stream"), env=env, settings=settings, plan=stage.stream, removal=removal)
    stores = StoresStack(app, named("stores"), env=env, stage=stage, key=stream.key, removal=removal)
    data = [
        stores,
        *(
            FunctionsStack(
                app,
                named(needs.name),
                env=env,
                settings=settings,
                needs=needs,
                key=stream.key,
                releases=RELEASES,
                removal=removal,
            )
            for needs in declared()
            if needs.functions
        ),
        CatalogueStack(app, named("catalogue"), env=env, settings=settings, key=stream.key, removal=removal),
    ]
    programs: list[cdk.Stack] = [
        AutoscalerStack(
            app, named("autoscaler"), env=env, settings=settings, key=stream.key, releases=RELEASES, acts=stage.autoscales
        )
    ]
    alarms = watching.plain(stage)
    target: NetworkLoadBalancer | Upstream
    if stage.upstream is None:
        network = NetworkStack(app, named("network"), env=env, cluster_name=settings.name, nat_gateways=stage.nat_gateways)
        workers = WorkersStack(
            app,
            named("workers"),
            env=env,
            stage=stage,
            cluster=network.cluster,
            key=stream.key,
            webhooks=stores.webhooks,
        )
        web = WebStack(
            app, named("web"), env=env, stage=stage, vpc=network.vpc, cluster=network.cluster, key=stream.key, removal=removal
        )
        target = web.balancer
        scaling = ScalingStack(app, named("scaling"), env=env, stage=stage)
        for services in (workers, web):
            scaling.add_stack_dependency(services)
        programs += [workers, web]
        alarms += watching.lags(stage)
    else:
        target = stage.upstream
    # a program that starts before its tables are there dies, and ECS would roll its first deployment back
    for program in programs:
        for needed in data:
            program.add_stack_dependency(needed)
    GatewayStack(app, named("gateway"), env=env, prefix=settings.name, traffic=stage.traffic, target=target)
    AlarmsStack(app, named("alarms"), env=env, settings=settings, key=stream.key, alarms=alarms)


@click.command()
@click.argument("stage", type=click.Choice([*STAGES, "delivery"]))
@click.option(
    "--outdir", default="cdk.out", show_default=True, type=click.Path(path_type=Path), help="A folder in it per stage."
)
def main(stage: str, outdir: Path) -> None:
    """Synthesize the stacks of STAGE, checked by cdk-nag."""
    app = (
        build_delivery(Source(), list(STAGES.values()), outdir / stage)
        if stage == "delivery"
        else build(STAGES[stage], outdir / stage)
    )
    app.synth()
    click.echo(str(outdir / stage))


if __name__ == "__main__":
    main()

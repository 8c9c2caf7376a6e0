"""Continuous delivery: a commit is tested and built once; that release goes to staging and, once approved, to production.

What is deployed is a release: the images' tag and the functions' archive carry the commit's id, and the stacks take it as a
parameter. So a roll-back is the same pipeline with an older commit, and no stage ever builds anything of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from clickstream.infra.stacks.parts.exceptions import accept
from clickstream.infra.stages import Stage

IMAGES = ("worker", "collector", "serving", "generator")
BUILDSPECS = "infra/buildspecs"
#: The CDK's own roles in a bootstrapped account: what they may do is decided there.
_CDK_ROLES = ("deploy", "file-publishing", "lookup")
_QUALIFIER = "hnb659fds"
#: What the CDK grants for the pipeline's artifacts.
_STARS = (
    "s3:GetObject*",
    "s3:GetBucket*",
    "s3:List*",
    "s3:DeleteObject*",
    "s3:Abort*",
    "kms:ReEncrypt*",
    "kms:GenerateDataKey*",
)


class DeliveryStack(Stack):
    """``pipeline``, the images' ``repositories`` and the ``releases`` bucket."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        env: Environment,
        repository: str,
        branch: str,
        connection_arn: str,
        releases: str,
        stages: Sequence[Stage],
    ) -> None:
        """``repository`` is ``owner/name`` at the code host that ``connection_arn`` (CodeConnections) reaches."""
        super().__init__(scope, name, env=env)
        self._key = kms.Key(self, "Key", alias="alias/clickstream-delivery", enable_key_rotation=True)
        self._releases = releases
        self.repositories = [self._repository(image) for image in IMAGES]
        logs = self._bucket("AccessLogs", f"{releases}-logs", logs=None)
        self.releases = self._bucket("Releases", releases, logs=logs)
        source, built = codepipeline.Artifact("source"), codepipeline.Artifact("built")
        owner, _, repository_name = repository.partition("/")
        origin = actions.CodeStarConnectionsSourceAction(
            action_name="Commit",
            connection_arn=connection_arn,
            owner=owner,
            repo=repository_name,
            branch=branch,
            output=source,
        )
        commit = origin.variables.commit_id
        self.pipeline = codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_name="clickstream",
            pipeline_type=codepipeline.PipelineType.V2,
            execution_mode=codepipeline.ExecutionMode.QUEUED,
            artifact_bucket=self.releases,
        )
        self.pipeline.add_stage(stage_name="Source", actions=[origin])
        self.pipeline.add_stage(stage_name="Test", actions=[self._build("test", source, None, commit)])
        self.pipeline.add_stage(stage_name="Build", actions=[self._build("build", source, built, commit)])
        for number, stage in enumerate(stages):
            self._deployment(stage, built, commit, approved=number > 0)
        self._accept_artifacts()

    def _repository(self, image: str) -> ecr.Repository:
        return ecr.Repository(
            self,
            f"{image.capitalize()}Image",
            repository_name=f"clickstream/{image}",
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=self._key,
            # what may be rolled back to
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=50)],
        )

    def _bucket(self, title: str, name: str, *, logs: s3.IBucket | None) -> s3.Bucket:
        return s3.Bucket(
            self,
            title,
            bucket_name=name,
            encryption=s3.BucketEncryption.S3_MANAGED if logs is None else s3.BucketEncryption.KMS,
            encryption_key=None if logs is None else self._key,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            server_access_logs_bucket=logs,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(365), noncurrent_version_expiration=Duration.days(7))],
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _build(
        self,
        name: str,
        source: codepipeline.Artifact,
        output: codepipeline.Artifact | None,
        commit: str,
        *,
        stage: str = "",
        order: int = 1,
    ) -> actions.CodeBuildAction:
        project = codebuild.PipelineProject(
            self,
            f"{stage.capitalize()}{name.capitalize()}",
            project_name="-".join(filter(None, ("clickstream", stage, name))),
            build_spec=codebuild.BuildSpec.from_source_filename(f"{BUILDSPECS}/{name}.yml"),
            encryption_key=self._key,
            timeout=Duration.minutes(60),
            environment=codebuild.BuildEnvironment(
                build_image=codebuild.LinuxBuildImage.STANDARD_7_0,
                compute_type=codebuild.ComputeType.MEDIUM,
                privileged=name == "build",  # docker
            ),
        )
        self._allow(name, stage, project)
        self._accept_logs(project)
        values = {
            "RELEASE": commit,
            "RELEASES": self._releases,
            "STAGE": stage,
            "REGISTRY": f"{self.account}.dkr.ecr.{self.region}.{self.url_suffix}",
        }
        return actions.CodeBuildAction(
            action_name=name.capitalize(),
            project=project,
            input=source,
            outputs=None if output is None else [output],
            run_order=order,
            environment_variables={
                key: codebuild.BuildEnvironmentVariable(value=value) for key, value in values.items() if value
            },
        )

    def _allow(self, name: str, stage: str, project: codebuild.PipelineProject) -> None:
        if name == "build":
            for repository in self.repositories:
                repository.grant_pull_push(project)
                repository.grant(project, "ecr:DescribeImages")
            self.releases.grant_put(project, "functions/*")
            base_image = self.format_arn(service="ssm", resource="parameter", resource_name="clickstream/python-image")
            project.add_to_role_policy(iam.PolicyStatement(actions=["ssm:GetParameters"], resources=[base_image]))
        elif name == "deploy":
            roles = [
                f"arn:{self.partition}:iam::{self.account}:role/cdk-{_QUALIFIER}-{role}-role-{self.account}-{self.region}"
                for role in _CDK_ROLES
            ]
            project.add_to_role_policy(iam.PolicyStatement(actions=["sts:AssumeRole"], resources=roles))
        elif name == "verify":
            project.add_to_role_policy(iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=["*"]))

    def _deployment(self, stage: Stage, built: codepipeline.Artifact, commit: str, *, approved: bool) -> None:
        approval = [actions.ManualApprovalAction(action_name="Approve", run_order=1)] if approved else []
        self.pipeline.add_stage(
            stage_name=stage.name.capitalize(),
            actions=[
                *approval,
                self._build("deploy", built, None, commit, stage=stage.name, order=2),
                self._build("verify", built, None, commit, stage=stage.name, order=3),
            ],
        )

    def _accept_artifacts(self) -> None:
        """CodePipeline hands artifacts over in the releases' bucket: what the CDK grants for that names actions by a star."""
        bucket = self.get_logical_id(self.releases.node.default_child)  # type: ignore[arg-type]  # a bucket has one
        reason = "artifacts of the pipeline in its one bucket, under its one key"
        for star in _STARS:
            accept(self, f"IAM5[Action::{star}]", reason)
        for tail in ("*", "functions/*"):
            accept(self, f"IAM5[Resource::<{bucket}.Arn>/{tail}]", reason)
        accept(self, "IAM5[Resource::*]", "ecr:GetAuthorizationToken and cloudwatch:DescribeAlarms know no resources")

    def _accept_logs(self, project: codebuild.PipelineProject) -> None:
        name = self.get_logical_id(project.node.default_child)  # type: ignore[arg-type]  # a project has one
        place = f"{self.region}:<AWS::AccountId>"
        for resource in (f"logs:{place}:log-group:/aws/codebuild/<{name}>:*", f"codebuild:{place}:report-group/<{name}>-*"):
            accept(project, f"IAM5[Resource::arn:<AWS::Partition>:{resource}]", "a project's own logs and reports")

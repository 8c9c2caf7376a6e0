"""How many tasks a service has: by CPU for all, and by how far behind it is for the workers."""

from __future__ import annotations

from aws_cdk import Duration, Environment, Stack
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from clickstream.consumers.needs import applications
from clickstream.infra.stages import Size, Stage
from clickstream.infra.watching import lag

_CPU_TARGET = 60.0
#: A worker that comes or goes moves leases: give it time to show.
_COOLDOWN = Duration.minutes(3)


class ScalingStack(Stack):
    """A scalable target for every service."""

    def __init__(self, scope: Construct, name: str, *, env: Environment, stage: Stage) -> None:
        super().__init__(scope, name, env=env)
        for application in applications():
            target = self._by_cpu(stage, application, stage.size(application))
            self._by_lag(stage, application, target)
        self._by_cpu(stage, "collector", stage.collector)
        self._by_cpu(stage, "serving", stage.serving)

    def _by_cpu(self, stage: Stage, program: str, size: Size) -> scaling.ScalableTarget:
        cluster, service = stage.settings.name, f"{stage.settings.name}-{program}"
        target = scaling.ScalableTarget(
            self,
            f"{program.capitalize()}Target",
            service_namespace=scaling.ServiceNamespace.ECS,
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{cluster}/{service}",
            min_capacity=size.least,
            max_capacity=size.most,
        )
        target.scale_to_track_metric(
            f"{program.capitalize()}Cpu",
            target_value=_CPU_TARGET,
            predefined_metric=scaling.PredefinedMetric.ECS_SERVICE_AVERAGE_CPU_UTILIZATION,
            scale_in_cooldown=_COOLDOWN,
            scale_out_cooldown=Duration.minutes(1),
        )
        return target

    def _by_lag(self, stage: Stage, application: str, target: scaling.ScalableTarget) -> None:
        """One task more when it is behind, two when it is far behind; the CPU's rule takes them away again."""
        title = application.capitalize()
        action = scaling.StepScalingAction(
            self,
            f"{title}MoreTasks",
            scaling_target=target,
            adjustment_type=scaling.AdjustmentType.CHANGE_IN_CAPACITY,
            cooldown=_COOLDOWN,
        )
        allowed_ms = stage.lag_s * 1000.0
        action.add_adjustment(adjustment=1, lower_bound=0, upper_bound=allowed_ms * 4)
        action.add_adjustment(adjustment=2, lower_bound=allowed_ms * 4)
        behind = lag(stage, application)
        alarm = cloudwatch.CfnAlarm(
            self,
            f"{title}Behind",
            alarm_name=f"{stage.settings.name}-{application}-scale-out",
            alarm_description=f"{application} needs more workers: the scaling acts, nobody has to",
            comparison_operator="GreaterThanThreshold",
            threshold=allowed_ms / 2,  # before the alarm that wakes people
            evaluation_periods=2,
            treat_missing_data="notBreaching",
            alarm_actions=[action.scaling_policy_arn],
            metrics=[
                cloudwatch.CfnAlarm.MetricDataQueryProperty(
                    id="behind", expression=behind.query, period=behind.period_s, return_data=True
                )
            ],
        )
        alarm.node.add_dependency(target)

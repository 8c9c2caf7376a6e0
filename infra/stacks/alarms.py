"""The alarms of clickstream.infra.watching, the topic that notifies operators, and the dashboard."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Environment, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from clickstream.needs import Alarm
from clickstream.settings import Settings

RUNBOOK = "docs/runbook.md"
_WIDTH = 24


class AlarmsStack(Stack):
    """``told``: the topic that every alarm rings."""

    def __init__(
        self, scope: Construct, name: str, *, env: Environment, settings: Settings, key: kms.IKey, alarms: Sequence[Alarm]
    ) -> None:
        super().__init__(scope, name, env=env)
        self.told = sns.Topic(self, "Told", topic_name=f"{settings.name}-operators", master_key=key, enforce_ssl=True)
        made = [self._alarm(settings, alarm) for alarm in alarms]
        self._dashboard(settings, alarms, made)

    def _alarm(self, settings: Settings, alarm: Alarm) -> cloudwatch.Alarm:
        above, below = (
            cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        )
        missing = cloudwatch.TreatMissingData
        made = cloudwatch.Alarm(
            self,
            "".join(part.capitalize() for part in alarm.name.split("-")),
            alarm_name=f"{settings.name}-{alarm.name}",
            alarm_description=f"{alarm.says}. What to do: {RUNBOOK}#{alarm.section}",
            metric=metric(alarm),
            threshold=alarm.threshold,
            evaluation_periods=alarm.periods,
            comparison_operator=below if alarm.below else above,
            treat_missing_data=missing.BREACHING if alarm.below else missing.NOT_BREACHING,
        )
        made.add_alarm_action(actions.SnsAction(self.told))
        made.add_ok_action(actions.SnsAction(self.told))
        return made

    def _dashboard(self, settings: Settings, alarms: Sequence[Alarm], made: Sequence[cloudwatch.Alarm]) -> None:
        """All alarms at a glance, then one graph for each section of the runbook."""
        board = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=settings.name, default_interval=Duration.hours(3))
        board.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(made), width=_WIDTH, height=4))
        sections = list(dict.fromkeys(alarm.section for alarm in alarms))
        board.add_widgets(
            *(
                cloudwatch.GraphWidget(
                    title=section.replace("-", " "),
                    left=[metric(alarm) for alarm in alarms if alarm.section == section],
                    width=_WIDTH // 2,
                )
                for section in sections
            )
        )


def metric(alarm: Alarm) -> cloudwatch.IMetric:
    """What an alarm watches."""
    period = Duration.seconds(alarm.period_s)
    if alarm.query:
        return cloudwatch.MathExpression(expression=alarm.query, label=alarm.name, period=period, using_metrics={})
    return cloudwatch.Metric(
        namespace=alarm.namespace,
        metric_name=alarm.metric,
        dimensions_map=alarm.dimensions,
        statistic=alarm.statistic,
        period=period,
    )

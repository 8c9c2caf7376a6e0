"""An application with Lambda functions: its stores, and the functions or the state machine behind its queues.

``Settings.order_workflow`` says who leads an order: by choreography each function listens to the queue of its step; by
orchestration one function starts a state machine that calls the same steps in turn (compared in docs/explanation/orders.md).
"""

from __future__ import annotations

from aws_cdk import CfnParameter, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as states
from constructs import Construct

from clickstream import needs as declarations
from clickstream.infra import permissions
from clickstream.infra.stacks.parts.exceptions import accept
from clickstream.infra.stacks.parts.function import Function, Release
from clickstream.infra.stacks.parts.stores import Stores
from clickstream.needs import Needs, StateMachine
from clickstream.settings import Settings

_TIMEOUT = Duration.seconds(10)


class FunctionsStack(Stack):
    """``functions`` by name."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        env: Environment,
        settings: Settings,
        needs: Needs,
        key: kms.IKey,
        releases: str,
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name, env=env)
        self._settings, self._key = settings, key
        stores = Stores(self, settings, key, removal)
        for table in needs.tables:
            stores.table(table)
        queues = stores.queues(needs.topics, needs.queues)
        parameter = CfnParameter(self, "Release", description="The functions' archive: the commit it was built from")
        self._release = Release(self, "Code", bucket=releases, release=parameter.value_as_string)
        self.functions: dict[str, lambda_.Function] = {}
        for each in needs.functions:
            if each.workflow == settings.order_workflow:
                self.functions[each.name] = function = self._function(each)
                if each.queue is not None:
                    function.add_event_source(
                        sources.SqsEventSource(queues[each.queue], batch_size=10, report_batch_item_failures=True)
                    )
                elif needs.state_machine is not None:
                    self._machine(needs.state_machine, function)

    def _function(self, function: declarations.Function) -> lambda_.Function:
        return Function(
            self,
            function.logical_id,
            release=self._release,
            handler=function.handler,
            role=permissions.function(self._settings, function),
            settings=self._settings,
            key=self._key,
            timeout=_TIMEOUT,
            environment={"CLICKSTREAM_ORDER_WORKFLOW": self._settings.order_workflow},
        ).function

    def _machine(self, machine: StateMachine, task: lambda_.Function) -> None:
        """The machine, which calls ``task`` for every step."""
        name = machine.of(self._settings)
        made = states.StateMachine(
            self,
            machine.title,
            state_machine_name=name,
            definition_body=states.DefinitionBody.from_string(machine.definition.read_text(encoding="utf-8")),
            definition_substitutions={"TaskFunctionArn": task.function_arn},
            tracing_enabled=True,
            logs=states.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "MachineLogs",
                    log_group_name=f"/aws/vendedlogs/states/{name}",
                    retention=logs.RetentionDays.ONE_MONTH,
                ),
                level=states.LogLevel.ALL,
            ),
        )
        task.grant_invoke(made)
        accept(made, "IAM5[Resource::*]", "Step Functions' log deliveries and X-Ray's actions know no resources")
        function = self.get_logical_id(task.node.default_child)  # type: ignore[arg-type]  # a function has one
        accept(self, f"IAM5[Resource::<{function}.Arn>:*]", "any version of the one function")

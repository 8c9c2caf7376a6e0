"""The order workflow: a topic, a queue with dead letters for each step, and the functions or the state machine behind them.

``Settings.order_workflow`` says who leads an order: by choreography each function listens to the queue of its step; by
orchestration one function starts a state machine that calls the same steps in turn. docs/explanation/orders.md compares the two.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import CfnParameter, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as states
from constructs import Construct

from clickstream.settings import ORDER_QUEUES, Settings
from infra import permissions
from infra.local.resources import ORDER_STEPS, ORDER_VISIBILITY_S
from infra.stacks.parts.exceptions import accept
from infra.stacks.parts.function import Function, Release
from infra.stacks.stores import table

_RECEIVES = 5
#: Fraud decides within a second: whoever asks for its decision comes a little later.
_DELAYS_S = {"reserved": 2}
_TIMEOUT = Duration.seconds(10)
#: Read as data: infra imports nothing of the consumers.
STATE_MACHINE = Path(__file__).parents[2] / "consumers" / "orders" / "state_machine.json"
#: Function → the queue that it listens to when the steps lead themselves.
CHOREOGRAPHY = {"reserve": "placed", "confirm": "reserved", "notify": "settled"}


class OrdersStack(Stack):
    """``queues`` and ``dead_letters`` by step, ``functions`` by name, ``topic`` and ``notifications``."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        env: Environment,
        settings: Settings,
        key: kms.IKey,
        releases: str,
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name, env=env)
        self._settings, self._key, self._removal = settings, key, removal
        table(self, "Orders", settings.orders_table, "order_id", expires="expires_at", removal=removal)
        table(self, "Inventory", settings.inventory_table, "product_id", removal=removal)
        table(self, "Repeats", settings.order_repeats_table, "id", expires="expiration", removal=removal)
        self.topic = sns.Topic(self, "Events", topic_name=settings.orders_topic, master_key=key, enforce_ssl=True)
        self.dead_letters = {
            step: self._queue(f"{step.capitalize()}Dead", settings.order_dead_letter_queue(step)) for step in ORDER_QUEUES
        }
        self.queues = {step: self._step_queue(step) for step in ORDER_QUEUES}
        self.notifications = self._notifications()
        parameter = CfnParameter(self, "Release", description="The functions' archive: the commit it was built from")
        self._release = Release(self, "Code", bucket=releases, release=parameter.value_as_string)
        self.functions: dict[str, Function] = {}
        if settings.order_workflow == "choreography":
            self._choreography()
        else:
            self._orchestration()

    def _step_queue(self, step: str) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            step.capitalize(),
            queue_name=self._settings.order_queue(step),
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self._key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            visibility_timeout=Duration.seconds(ORDER_VISIBILITY_S),
            delivery_delay=Duration.seconds(_DELAYS_S.get(step, 0)),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters[step], max_receive_count=_RECEIVES),
            removal_policy=self._removal,
        )
        only = sns.SubscriptionFilter.string_filter(allowlist=list(ORDER_STEPS[step]))
        self.topic.add_subscription(
            subscriptions.SqsSubscription(queue, raw_message_delivery=True, filter_policy={"step": only})
        )
        return queue

    def _queue(self, title: str, name: str, *, fifo: bool | None = None) -> sqs.Queue:
        return sqs.Queue(
            self,
            title,
            queue_name=name,
            fifo=fifo,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self._key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=self._removal,
        )

    def _notifications(self) -> sns.Topic:
        """What customers are told; FIFO, because SNS then drops a repetition by its id."""
        topic = sns.Topic(
            self,
            "Notifications",
            topic_name=self._settings.order_notifications_topic,
            fifo=True,
            content_based_deduplication=False,
            master_key=self._key,
            enforce_ssl=True,
        )
        queue = self._queue("NotificationsQueue", self._settings.order_notifications_queue, fifo=True)
        accept(queue, "SQS3", "whoever sends the mails brings the dead letters of its own")
        topic.add_subscription(subscriptions.SqsSubscription(queue, raw_message_delivery=True))
        return topic

    def _function(self, name: str) -> Function:
        made = Function(
            self,
            name.capitalize(),
            release=self._release,
            handler=f"consumers.orders.functions.{name}",
            role=permissions.order_function(self._settings, name),
            settings=self._settings,
            key=self._key,
            timeout=_TIMEOUT,
            environment={"CLICKSTREAM_ORDER_WORKFLOW": self._settings.order_workflow},
        )
        self.functions[name] = made
        return made

    def _choreography(self) -> None:
        for name, step in CHOREOGRAPHY.items():
            self._listening(name, step)

    def _orchestration(self) -> None:
        """One function starts the state machine, which calls another for every step."""
        task = self._function("task").function
        machine = states.StateMachine(
            self,
            "Machine",
            state_machine_name=self._settings.order_state_machine,
            definition_body=states.DefinitionBody.from_string(STATE_MACHINE.read_text(encoding="utf-8")),
            definition_substitutions={"TaskFunctionArn": task.function_arn},
            tracing_enabled=True,
            logs=states.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "MachineLogs",
                    log_group_name=f"/aws/vendedlogs/states/{self._settings.order_state_machine}",
                    retention=logs.RetentionDays.ONE_MONTH,
                ),
                level=states.LogLevel.ALL,
            ),
        )
        task.grant_invoke(machine)
        accept(machine, "IAM5[Resource::*]", "Step Functions' log deliveries and X-Ray's actions know no resources")
        function = self.get_logical_id(task.node.default_child)  # type: ignore[arg-type]  # a function has one
        accept(self, f"IAM5[Resource::<{function}.Arn>:*]", "any version of the one function")
        self._listening("start", "placed")

    def _listening(self, name: str, step: str) -> None:
        self._function(name).function.add_event_source(
            sources.SqsEventSource(self.queues[step], batch_size=10, report_batch_item_failures=True)
        )

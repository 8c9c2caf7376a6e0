"""The Lambda functions of the order workflow: queue messages and tasks in, steps taken. The wiring of this program.

Powertools logs, traces, keeps repeated messages from repeating work, and reports which messages of a batch failed. Correctness
does not rest on it: the steps themselves may be repeated (``clickstream.consumers.orders.steps``).
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.typing import LambdaContext

from clickstream.aws import Clients
from clickstream.consumers.orders.messages import Message, Order, encode, name_of
from clickstream.consumers.orders.needs import EVENTS, REPEATS, STATE_MACHINE
from clickstream.consumers.orders.steps import Steps, steps
from clickstream.consumers.orders.topic import OrdersTopic
from clickstream.settings import Settings, from_env

logger = Logger(service="orders")
tracer = Tracer(service="orders")

#: SQS delivers a message again at most this long after it was taken; Powertools' records need not be kept longer.
_REPEATED_WITHIN_S = 3600

Event = dict[str, Any]


class Workflow:
    """What the functions of one execution environment share: clients, steps, topic, idempotency records."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clients = Clients(settings)
        self.steps: Steps = steps(self.clients, settings)
        self.topic = OrdersTopic(self.clients.sns, EVENTS.of(settings))
        self._store = DynamoDBPersistenceLayer(REPEATS.of(settings), boto3_client=self.clients.dynamodb)
        self._config = IdempotencyConfig(
            event_key_jmespath="[step, order.order_id]",
            expires_after_seconds=_REPEATED_WITHIN_S,
            raise_on_no_idempotency_key=True,
        )

    def batch(
        self, event: Event, context: LambdaContext, handle: Callable[[Message], Message | None]
    ) -> PartialItemFailureResponse:
        """Handle each message of an SQS batch once; those that failed come back, and end in the dead-letter queue."""
        self._config.register_lambda_context(context)

        def once(message: Event) -> Event:
            said = msgspec.convert(message, Message)
            outcome = handle(said) or said
            # never empty: Powertools answers a repetition with what is kept of the first time, and with None for nothing
            return {"step": outcome.step.value}

        guarded = idempotent_function(once, data_keyword_argument="message", persistence_store=self._store, config=self._config)

        def each(record: SQSRecord) -> None:
            message = record.json_body
            outcome = guarded(message=message)
            logger.info("step", order_id=message["order"]["order_id"], was=message["step"], **outcome)

        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        return process_partial_response(event, each, processor, context)

    def tell(self, outcome: Message) -> Message:
        self.topic.tell(outcome)
        return outcome


@cache
def workflow() -> Workflow:
    """Made at the first invocation: an import must neither read the environment nor reach AWS."""
    return Workflow(from_env())


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def reserve(event: Event, context: LambdaContext) -> PartialItemFailureResponse:
    """Choreography, behind the queue of placed orders: reserve the goods, and tell it."""
    work = workflow()
    return work.batch(event, context, lambda message: work.tell(work.steps.reserve(message.order)))


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def confirm(event: Event, context: LambdaContext) -> PartialItemFailureResponse:
    """Choreography, behind the queue of reserved orders: ask for fraud's decision, confirm or cancel, and tell it."""
    work = workflow()
    return work.batch(event, context, lambda message: work.tell(work.steps.confirm(message.order)))


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def notify(event: Event, context: LambdaContext) -> PartialItemFailureResponse:
    """Choreography, behind the queue of settled orders: tell the customer."""
    work = workflow()
    return work.batch(event, context, lambda message: work.steps.notify(message.order))


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def start(event: Event, context: LambdaContext) -> PartialItemFailureResponse:
    """Orchestration, behind the queue of placed orders: start the state machine, once per order."""
    work = workflow()
    # arn:aws:lambda:REGION:ACCOUNT:function:…
    _, partition, _, region, account, *_ = context.invoked_function_arn.split(":")
    machine = f"arn:{partition}:states:{region}:{account}:stateMachine:{STATE_MACHINE.of(work.settings)}"

    def begin(message: Message) -> None:
        states = work.clients.stepfunctions
        try:
            states.start_execution(
                stateMachineArn=machine, name=name_of(message.order.order_id), input=encode(message).decode()
            )
        except states.exceptions.ExecutionAlreadyExists:
            logger.info("started before", order_id=message.order.order_id)

    return work.batch(event, context, begin)


@logger.inject_lambda_context
@tracer.capture_lambda_handler
def task(event: Event, context: LambdaContext) -> Event:  # noqa: ARG001  # Lambda passes it
    """Orchestration: one step, named by ``do``, of the order in ``order``; answers ``{"step", "order", "reason"}``.

    What it raises is named by its class in the state machine's Retry and Catch.
    """
    order = msgspec.convert(event["order"], Order)
    taken = workflow().steps
    match event["do"]:
        case "reserve":
            outcome = taken.reserve(order)
        case "confirm":
            outcome = taken.confirm(order)
        case "release":
            outcome = taken.release(order, event.get("reason", "a step failed"))
        case "notify":
            outcome = taken.notify(order)
        case unknown:
            raise ValueError(f"no step {unknown!r}")
    answer: Event = msgspec.to_builtins(outcome)
    return answer

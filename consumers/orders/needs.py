"""What orders needs and offers: its workflow's stores, queues and functions (docs/explanation/orders.md)."""

from importlib.resources import files

from clickstream.consumers.fraud.needs import DECISIONS
from clickstream.consumers.orders import NAME
from clickstream.needs import DEPLOYMENT, Access, Alarm, Function, Needs, Queue, StateMachine, Table, Topic

#: One item per order: its step and its lines. Named unlike the application, whose name is its lease table's.
ORDERS = Table("order-states", "Orders", key="order_id", expires="expires_at")
#: One item per product: how many are available.
INVENTORY = Table("inventory", key="product_id")
#: Powertools' idempotency records.
REPEATS = Table("order-repeats", "Repeats", key="id", expires="expiration")
#: What happens to orders, for the queues of the workflow and any other subscriber; attribute ``step`` filters.
EVENTS = Topic("order-events", "Events")
#: Messages to customers: FIFO, because SNS then drops a repetition by its id.
NOTIFICATIONS = Topic("order-notifications.fifo", "Notifications")
#: What waits for a mail service.
NOTIFICATIONS_QUEUE = Queue(
    "order-notifications.fifo",
    "NotificationsQueue",
    topic=NOTIFICATIONS,
    read_by="the mail service that reads it brings its own dead-letter queue",
)
STATE_MACHINE = StateMachine("order", "Machine", definition=files("clickstream.consumers.orders") / "state_machine.json")
#: The files of the package in the functions' archive, one a line.
CODE = files("clickstream.consumers.orders") / "functions.txt"


def _queue(step: str, steps: tuple[str, ...], delay_s: int = 0) -> Queue:
    """The queue whose messages say that an order has come to ``step``."""
    return Queue(
        f"order-{step}",
        step.capitalize(),
        topic=EVENTS,
        steps=steps,
        dead_letters=Queue(f"order-{step}-dead", f"{step.capitalize()}Dead"),
        visibility_s=60,  # six times the functions' timeout, as AWS advises
        delay_s=delay_s,
    )


QUEUES = {
    "placed": _queue("placed", ("placed",)),
    # fraud decides within a second: its decision is asked for a little later
    "reserved": _queue("reserved", ("reserved",), delay_s=2),
    "settled": _queue("settled", ("confirmed", "rejected", "cancelled")),
}

_ORDERS = ORDERS.may("GetItem UpdateItem")
_DECISIONS = DECISIONS.may("GetItem")
_INVENTORY = INVENTORY.may("UpdateItem")
_TELLS = EVENTS.may("CreateTopic Publish")
_NOTIFIES = NOTIFICATIONS.may("CreateTopic Publish")
_REPEATS = REPEATS.may("PutItem UpdateItem")
_FAILED = REPEATS.may("DeleteItem", "a message whose handling failed must be free to come again")
_GIVES_BACK = INVENTORY.may("UpdateItem", "a cancelled order gives back what it has reserved")
_STARTS = STATE_MACHINE.may("StartExecution")


def _function(name: str, workflow: str, queue: str | None, access: Access) -> Function:
    return Function(
        name=f"order-{name}",
        logical_id=name.capitalize(),
        handler=f"clickstream.consumers.orders.functions.{name}",
        workflow=workflow,
        queue=None if queue is None else QUEUES[queue],
        access=access,
    )


FUNCTIONS = (
    _function("reserve", "choreography", "placed", Access((_REPEATS, _INVENTORY, _ORDERS, _TELLS), (_FAILED,))),
    _function("confirm", "choreography", "reserved", Access((_REPEATS, _DECISIONS, _ORDERS, _TELLS), (_FAILED, _GIVES_BACK))),
    _function("notify", "choreography", "settled", Access((_REPEATS, _ORDERS, _NOTIFIES), (_FAILED,))),
    _function("task", "orchestration", None, Access((_INVENTORY, _ORDERS, _DECISIONS, _NOTIFIES))),
    _function("start", "orchestration", "placed", Access((_REPEATS, _STARTS), (_FAILED,))),
)


def _stuck(name: str, queue: Queue, metric: str, says: str, threshold: float = 0, periods: int = 1) -> Alarm:
    return Alarm(
        name=f"orders-{name}",
        section="an-order-is-stuck",
        says=says,
        namespace="AWS/SQS",
        metric=metric,
        dimensions={"QueueName": f"{DEPLOYMENT}-{queue.suffix}"},
        statistic="Maximum",
        threshold=threshold,
        periods=periods,
    )


NEEDS = Needs(
    name=NAME,
    wiring="clickstream.consumers.orders.wiring",
    tables=(ORDERS, INVENTORY, REPEATS),
    topics=(EVENTS, NOTIFICATIONS),
    queues=(*QUEUES.values(), NOTIFICATIONS_QUEUE),
    worker=Access((ORDERS.may("PutItem UpdateItem"), _TELLS)),
    serving=Access((ORDERS.may("GetItem"), INVENTORY.may("Scan"))),
    functions=FUNCTIONS,
    state_machine=STATE_MACHINE,
    alarms=(
        *(
            _stuck(
                f"{step}-dead",
                queue.dead_letters,
                "ApproximateNumberOfMessagesVisible",
                f"an order failed five times after it was {step}",
            )
            for step, queue in QUEUES.items()
            if queue.dead_letters is not None
        ),
        *(
            _stuck(
                f"{step}-late",
                queue,
                "ApproximateAgeOfOldestMessage",
                f"orders wait for more than five minutes after they were {step}",
                threshold=300,
                periods=2,
            )
            for step, queue in QUEUES.items()
        ),
    ),
    starts_with_up=False,
    comparer="clickstream.load.verdict.subjects:orders",
)

"""What an application needs of AWS and offers to the platform: pure values, declared once, in the application's own folder.

Everything else is derived from them (``consumers.needs`` finds them): resource names, the embedded AWS, the stacks, roles and
alarms, ``clickstream up``, ``explain`` and ``load verify``.
"""

import re
from importlib.resources.abc import Traversable
from typing import ClassVar, Literal, TypeVar

import msgspec

from clickstream.aws.boto_types import CreateTableInputTypeDef, KeySchemaElementTypeDef
from clickstream.errors import UserMistake
from clickstream.settings import Settings

__all__ = ["Access", "Alarm", "Bucket", "Grant", "Needs", "Queue", "Resource", "Table", "Topic"]

#: Stands for the deployment's name.
DEPLOYMENT = "{name}"
#: Fits tables, buckets, queues and roles behind the deployment's name, and is not that of another program.
_APPLICATION = re.compile(
    r"(?!(autoscaler|aws|collect|collector|generator|serve|serving)\Z)(?=.{1,32}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*"
)


def check_name(application: str) -> None:
    """Raises UserMistake for what cannot be an application's name."""
    if not _APPLICATION.fullmatch(application):
        hint = "at most 32 lower-case letters, digits and single dashes, a letter first; not that of a program"
        raise UserMistake(f"{application!r} cannot name an application and its tables", hint=hint)


Named = TypeVar("Named", "Grant", "Alarm")


def _deployed(value: Named, settings: Settings) -> Named:
    """The same with the deployment's name wherever its stand-in was."""
    text = msgspec.json.encode(value).replace(DEPLOYMENT.encode(), settings.name.encode())
    return msgspec.json.decode(text, type=type(value))


class Grant(msgspec.Struct, frozen=True):
    """These actions on this one resource: ``service:tail``, the tail being what follows region and account in an ARN."""

    actions: tuple[str, ...]
    """With the service: ``dynamodb:GetItem``."""
    resource: str
    reason: str = ""
    """Why it is needed although no local run shows it; empty for what runs show."""
    conditions: dict[str, dict[str, str]] = {}
    """IAM's conditions, for actions that know no resources."""

    def of(self, settings: Settings) -> "Grant":
        return _deployed(self, settings)


class Resource(msgspec.Struct, frozen=True):
    """Something on AWS that is named after its deployment: ``clickstream-decisions`` has the suffix ``decisions``."""

    suffix: str
    logical_id: str = ""
    """In the templates; empty is derived from the suffix."""
    arn: ClassVar[str]
    """What precedes the name in a grant's resource."""

    def of(self, settings: Settings) -> str:
        """The name in this deployment."""
        return f"{settings.name}-{self.suffix}"

    @property
    def title(self) -> str:
        return self.logical_id or "".join(part.capitalize() for part in re.split("[-.]", self.suffix))

    @property
    def fifo(self) -> bool:
        """Whether it is a FIFO topic or queue."""
        return self.suffix.endswith(".fifo")

    def may(self, actions: str, reason: str = "", *, part: str = "") -> Grant:
        """Leave to call ``actions``, names separated by spaces, on the resource or on ``part`` of it."""
        service = self.arn.partition(":")[0]
        names = tuple(f"{service}:{action}" for action in actions.split())
        return Grant(names, f"{self.arn}{DEPLOYMENT}-{self.suffix}{part}", reason)


class Table(Resource, frozen=True, kw_only=True):
    """A DynamoDB table; its keys are strings."""

    key: str
    range_key: str | None = None
    expires: str | None = None
    """The attribute with the time to live."""
    index: tuple[str, str, str] | None = None
    """A global secondary index of keys alone: its name and its two keys."""
    arn: ClassVar[str] = "dynamodb:table/"

    def creation(self, name: str) -> CreateTableInputTypeDef:
        """DynamoDB's request that makes it under this name, paid by request."""
        keys = dict.fromkeys(filter(None, (self.key, self.range_key, *(self.index or ())[1:])))
        request: CreateTableInputTypeDef = {
            "TableName": name,
            "KeySchema": _schema(self.key, self.range_key),
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
            "BillingMode": "PAY_PER_REQUEST",
        }
        if self.index is not None:
            index, key, range_key = self.index
            request["GlobalSecondaryIndexes"] = [
                {"IndexName": index, "KeySchema": _schema(key, range_key), "Projection": {"ProjectionType": "KEYS_ONLY"}}
            ]
        return request


def _schema(key: str, range_key: str | None) -> list[KeySchemaElementTypeDef]:
    schema: list[KeySchemaElementTypeDef] = [{"AttributeName": key, "KeyType": "HASH"}]
    return schema if range_key is None else [*schema, {"AttributeName": range_key, "KeyType": "RANGE"}]


class Bucket(Resource, frozen=True, kw_only=True):
    versioned: bool = False
    expires_days: int | None = None
    arn: ClassVar[str] = "s3:"

    def objects(self, prefix: str, actions: str, reason: str = "") -> Grant:
        return self.may(actions, reason, part=f"/{prefix}*")


class Topic(Resource, frozen=True):
    arn: ClassVar[str] = "sns:"


class Queue(Resource, frozen=True, kw_only=True):
    """``topic`` is the one it subscribes to, for messages whose attribute ``step`` is one of ``steps`` (empty: all)."""

    topic: Topic | None = None
    steps: tuple[str, ...] = ()
    dead_letters: "Queue | None" = None
    receives: int = 5
    """How often a message is received before it goes there."""
    visibility_s: int | None = None
    delay_s: int | None = None
    read_by: str = "the last stop of its messages: a person reads them"
    """Why it has no dead letters."""
    arn: ClassVar[str] = "sqs:"


class StateMachine(Resource, frozen=True, kw_only=True):
    """Calls the function without a queue for every step."""

    definition: Traversable
    """With ``${TaskFunctionArn}`` to substitute."""
    arn: ClassVar[str] = "states:stateMachine:"


Statistic = Literal["Sum", "Maximum", "Average", "Minimum", "p99"]


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Rings when ``statistic`` of the metric is above ``threshold`` in ``periods`` periods in a row."""

    name: str
    section: str
    """The heading in docs/runbook.md, as an anchor."""
    says: str
    """One line for the person who is woken."""
    namespace: str
    metric: str
    dimensions: dict[str, str] = {}
    statistic: Statistic = "Sum"
    threshold: float = 0
    period_s: int = 60
    periods: int = 1
    below: bool = False
    """It rings below the threshold instead, and when the metric is missing."""
    query: str = ""
    """A Metrics Insights query in place of namespace, metric and dimensions."""

    def of(self, settings: Settings) -> "Alarm":
        return _deployed(self, settings)


class Access(msgspec.Struct, frozen=True):
    """What a program may do."""

    seen: tuple[Grant, ...] = ()
    """Each answers calls that a run on the embedded AWS showed (``tests/infra/recorded/calls.json``)."""
    unseen: tuple[Grant, ...] = ()
    """What no local run can show, each with its reason."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A Lambda function; ``queue`` is the one whose messages it handles."""

    name: str
    logical_id: str
    handler: str
    access: Access
    workflow: str
    """The ``Settings.order_workflow`` under which it is deployed."""
    queue: Queue | None = None
    """None: the state machine calls it."""


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """One application. What it offers is named as ``module:attribute``, so that the declaration imports nothing heavy."""

    name: str
    wiring: str
    """The module whose ``APPLICATION`` the consumer runtime runs."""
    tables: tuple[Table, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    topics: tuple[Topic, ...] = ()
    queues: tuple[Queue, ...] = ()
    worker: Access = Access()
    """Beyond what every worker may do."""
    serving: Access = Access()
    functions: tuple[Function, ...] = ()
    state_machine: StateMachine | None = None
    webhooks: tuple[str, ...] = ()
    """Names of those whose URLs its worker finds in the settings."""
    alarms: tuple[Alarm, ...] = ()
    """Beyond those of every worker, table and stream."""
    own: bool = False
    """Whether it is a short one (``clickstream.answers``), whose answers are read by their declaration."""
    starts_with_up: bool = True
    """False: `clickstream up` starts it only when it is named."""
    rank: int = 1
    """Its place in lists of applications; equals are sorted by name."""
    effect: str = ""
    """What ``explain`` finds of an event: a ``clickstream.consumers.explain.effects.Look``."""
    comparer: str = ""
    """What ``load verify`` compares with the ledger: a ``clickstream.load.verdict.subjects.Compare``."""
    page: str = ""
    """Its page in the dashboard: a ``clickstream.serving.pages.frame.Page``."""

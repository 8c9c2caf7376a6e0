"""What a short application needs of AWS: derived from its declaration, with no more rights than its sink's calls. Pure.

<application>-<table>            answers, one row per window, key, shard and late part
<application>-outbox             messages: pending or sent
<application>-<messages>.fifo    the queue, with dead letters for whoever reads it, or the topic
<application>-files              lines
"""

from clickstream.answers.declared import Application, Files, Messages
from clickstream.errors import UserMistake
from clickstream.needs import DEPLOYMENT, Access, Alarm, Bucket, Grant, Needs, Queue, Table, Topic

_LATER = "else S3 answers 403, not 404, for an object that is not there yet"


def answers_table(application: str, table: str) -> Table:
    """``window``: the start, 14 digits of ms; ``row``: key#shard#late part; then an attribute for each cell."""
    return Table(f"{application}-{table}", key="window", range_key="row", expires="expires")


def outbox(application: str) -> Table:
    return Table(f"{application}-outbox", key="id", expires="expires")


def queue(application: str, messages: str) -> Queue:
    dead = Queue(f"{application}-{messages}-dead.fifo")
    return Queue(f"{application}-{messages}.fifo", dead_letters=dead)


def topic(application: str, messages: str) -> Topic:
    return Topic(f"{application}-{messages}.fifo")


def bucket(application: str) -> Bucket:
    return Bucket(f"{application}-files")


def needs_of(application: Application) -> Needs:
    """Wired to no module yet. Raises UserMistake when two answers would have one store."""
    name = application.name
    messages = [each for each in application.answers if isinstance(each, Messages)]
    tables = tuple(answers_table(name, table) for table in application.tables)
    outboxes = (outbox(name),) if messages else ()
    queues = tuple(queue(name, each.name) for each in messages if each.to == "sqs")
    topics = tuple(topic(name, each.name) for each in messages if each.to == "sns")
    buckets = (bucket(name),) if any(isinstance(each, Files) for each in application.answers) else ()
    dead = [each.dead_letters for each in queues if each.dead_letters]
    suffixes = [each.suffix for each in (*tables, *outboxes, *queues, *topics, *dead)]
    if twice := {suffix for suffix in suffixes if suffixes.count(suffix) > 1}:
        raise UserMistake(f"{name}: two answers would be kept in {min(twice)}", hint="give one of them another name")
    seen: list[Grant] = [
        *(table.may("PutItem") for table in tables),
        *(table.may("PutItem UpdateItem") for table in outboxes),
        *(each.may("GetQueueUrl SendMessage") for each in queues),
        *(each.may("CreateTopic Publish") for each in topics),
        *(each.objects("", "GetObject PutObject") for each in buckets),
    ]
    return Needs(
        name=name,
        wiring="",
        own=True,
        tables=(*tables, *outboxes),
        buckets=buckets,
        topics=topics,
        queues=queues,
        webhooks=tuple(each.name for each in messages if each.to == "webhook"),
        worker=Access(tuple(seen), tuple(each.may("ListBucket", _LATER) for each in buckets)),
        serving=Access((*(table.may("Query") for table in tables), *(table.may("GetItem") for table in outboxes))),
        alarms=(
            *(_undelivered(to, "SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "-dead.fifo") for to in queues),
            *(_undelivered(to, "SNS", "NumberOfNotificationsFailed", "TopicName", ".fifo") for to in topics),
        ),
    )


def _undelivered(to: Queue | Topic, service: str, metric: str, dimension: str, end: str) -> Alarm:
    messages = to.suffix.removesuffix(".fifo")
    return Alarm(
        name=f"{messages}-undelivered",
        section="there-are-dead-letters",
        says=f"messages {messages} are not taken by whoever shall read them",
        namespace=f"AWS/{service}",
        metric=metric,
        dimensions={dimension: f"{DEPLOYMENT}-{messages}{end}"},
        statistic="Maximum",
    )

"""Many decisions read, by event id or by purchase, and what became known of them read and written (DynamoDB).

Raises RetryLater.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from clickstream.aws.boto_types import DynamoDBClient
from clickstream.consumers.fraud import outcomes, reviews
from clickstream.consumers.fraud.decisions import Decision
from clickstream.consumers.fraud.fold import Candidate
from clickstream.consumers.fraud.items import decision_of
from clickstream.consumers.fraud.reviews import Action, Review
from clickstream.consumers.fraud.shadow.opinion_items import Opinion
from clickstream.errors import Throttled
from clickstream.failures.outages import translated
from clickstream.models.fraud.labels import GENUINE
from clickstream.purchases import reused

#: DynamoDB's limits of one BatchGetItem, and of one BatchWriteItem.
_MOST_READ, _MOST_WRITTEN = 100, 25


def on(dynamodb: DynamoDBClient, table: str, asked: Iterable[Candidate | Opinion]) -> dict[tuple[str, str], Decision]:
    """The decisions on these very purchases, by event id and purchase; left out as by :func:`decisions`."""
    wanted = {(each.event_id, each.purchase) for each in asked}
    found = decisions(dynamodb, table, (event_id for event_id, _ in wanted))
    others = wanted - {(each.event_id, each.purchase) for each in found.values()}
    # one that is not decided yet is asked for in vain
    further = decisions(dynamodb, table, (reused(*other) for other in others if other[0] in found))
    by_purchase = {(each.event_id, each.purchase): each for each in (*found.values(), *further.values())}
    return {each: by_purchase[each] for each in wanted if each in by_purchase}


def decisions(dynamodb: DynamoDBClient, table: str, keys: Iterable[str]) -> dict[str, Decision]:
    """The decisions that stand, by key: an event id is that of its first purchase. Of another version of this code, or not made
    yet: left out."""
    found = {}
    for item in items(dynamodb, table, [{"event_id": {"S": key}} for key in dict.fromkeys(keys)]):
        try:
            found[item["event_id"]["S"]] = decision_of(item)
        except msgspec.MsgspecError:
            continue
    return found


def kinds(dynamodb: DynamoDBClient, table: str, decided: Iterable[Decision]) -> dict[str, str]:
    """What became known, by the decision's key, see :mod:`clickstream.models.fraud.labels`; ``table``: of outcomes."""
    keys = [outcomes.label_key(decision) for decision in decided]
    return {item["part"]["S"].split("#", 2)[2]: item["kind"]["S"] for item in items(dynamodb, table, keys)}


def items(dynamodb: DynamoDBClient, table: str, keys: Sequence[Any]) -> Iterator[Any]:
    """Those that there are, of any table, as they are now. Raises Throttled when some were left unread."""
    for start in range(0, len(keys), _MOST_READ):
        with translated("DynamoDB"):
            answer = dynamodb.batch_get_item(
                RequestItems={table: {"Keys": keys[start : start + _MOST_READ], "ConsistentRead": True}}
            )
        if left := answer.get("UnprocessedKeys"):
            raise Throttled(f"DynamoDB: {sum(len(each['Keys']) for each in left.values())} items were left unread")
        yield from answer["Responses"].get(table, [])


class OutcomesTable:
    """Writes the outcomes: whatever is written again is written the same, so no condition is needed."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def write(self, decisions: Iterable[Decision]) -> None:
        """Note decisions that stand in the decisions table. Raises RetryLater when some may not be written; repeat them all."""
        self.put([item for decision in decisions for item in outcomes.items_of(decision)])

    def label(self, labelled: Sequence[tuple[Decision, str]], now_ms: int, by: str) -> None:
        """Note what became known of decided purchases, (decision, kind of fraud or GENUINE), and who said so beside it.

        Raises as ``write`` does.
        """
        genuine, fraud = (Review(action=action, by=by, at=now_ms) for action in (Action.GENUINE, Action.FRAUD))
        # the labels last: who repeats this does so for what has no label yet
        self.put([reviews.item_of(decision, genuine if kind == GENUINE else fraud) for decision, kind in labelled])
        self.put([outcomes.label_item(decision, kind, now_ms) for decision, kind in labelled])

    def put(self, items: Sequence[Any]) -> None:
        """Write items whose later writers write the same or better. Raises RetryLater, some then being written."""
        # one request may not name a key twice
        by_key = {(item["window"]["S"], item["part"]["S"]): item for item in items}
        requests: list[Any] = [{"PutRequest": {"Item": item}} for item in by_key.values()]
        for start in range(0, len(requests), _MOST_WRITTEN):
            with translated("DynamoDB"):
                answer = self._dynamodb.batch_write_item(RequestItems={self._table: requests[start : start + _MOST_WRITTEN]})
            if left := answer.get("UnprocessedItems"):
                raise Throttled(f"DynamoDB: {sum(map(len, left.values()))} items were left unwritten")

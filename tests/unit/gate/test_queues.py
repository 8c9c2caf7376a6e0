"""ministack's SQS made cheap: the same messages as before, without a look at the rest of a long queue."""

from __future__ import annotations

import time
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from clickstream.infra.local.gate.queues import make_cheap


@pytest.fixture
def sqs() -> SimpleNamespace:
    """The functions that are replaced; each notes the messages that it was given."""
    queue: dict[str, Any] = {"is_fifo": False, "messages": []}
    seen: list[list[dict[str, Any]]] = []
    expired: list[dict[str, Any]] = []

    def collect(queue: dict[str, Any], most: int, hidden_s: int) -> list[dict[str, Any]]:
        seen.append(queue["messages"])
        return [message | {"hidden_s": hidden_s} for message in queue["messages"][:most]]

    module = SimpleNamespace(
        queue=queue,
        seen=seen,
        expired=expired,
        esm_wake=Event(),
        _collect_msgs=collect,
        _expire_retained=expired.append,
        _act_change_visibility_batch=lambda _data, _url: {"Successful": [], "Failed": ["some"]},
        _validate_batch_entries=lambda _entries, _name: None,
        _get_q=lambda _url, _action: queue,
        _HANDLERS={},
    )
    make_cheap(module)
    return module


def message(name: int, *, visible: bool) -> dict[str, Any]:
    return {"id": name, "receipt_handle": str(name), "visible_at": time.time() + (-1 if visible else 60)}


def change(sqs: SimpleNamespace, *receipts: str) -> dict[str, Any]:
    entries = [{"Id": f"n{each}", "ReceiptHandle": each, "VisibilityTimeout": 0} for each in receipts]
    answer: dict[str, Any] = sqs._HANDLERS["ChangeMessageVisibilityBatch"]({"Entries": entries}, "url")
    return answer


def test_a_receive_takes_the_first_visible_ones_and_looks_at_no_others(sqs: SimpleNamespace) -> None:
    sqs.queue["messages"] = [message(n, visible=n % 2 == 1) for n in range(100)]
    found = sqs._collect_msgs(sqs.queue, 10, 30)
    assert [each["id"] for each in found] == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]
    assert [len(each) for each in sqs.seen] == [10]


def test_who_only_looks_sees_every_message_in_turn(sqs: SimpleNamespace) -> None:
    sqs.queue["messages"] = [message(n, visible=True) for n in range(25)]
    found = [each["id"] for _ in range(3) for each in sqs._collect_msgs(sqs.queue, 10, 0)]
    assert found == [*range(25), *range(5)]
    assert [each["id"] for each in sqs._collect_msgs(sqs.queue, 10, 30)] == [*range(10)]


def test_a_message_that_another_service_sent_is_visible_before_its_fields_are_complete(sqs: SimpleNamespace) -> None:
    sqs.queue["messages"] = [{"id": 1}]
    assert [each["id"] for each in sqs._collect_msgs(sqs.queue, 10, 30)] == [1]


def test_a_fifo_queue_is_collected_as_before(sqs: SimpleNamespace) -> None:
    sqs.queue |= {"is_fifo": True, "messages": [message(n, visible=False) for n in range(3)]}
    sqs._collect_msgs(sqs.queue, 10, 30)
    assert sqs.seen == [sqs.queue["messages"]]


def test_retention_is_applied_once_a_second(sqs: SimpleNamespace) -> None:
    for _ in range(3):
        sqs._expire_retained(sqs.queue)
    assert sqs.expired == [sqs.queue]


def test_messages_are_given_back_together(sqs: SimpleNamespace) -> None:
    sqs.queue["messages"] = [message(n, visible=False) for n in range(5)]
    assert change(sqs, "3", "1") == {"Successful": [{"Id": "n3"}, {"Id": "n1"}], "Failed": []}
    assert [each["id"] for each in sqs.queue["messages"] if each["visible_at"] <= time.time()] == [1, 3]
    assert sqs.esm_wake.is_set()


def test_a_receipt_that_is_not_valid_is_left_to_ministack(sqs: SimpleNamespace) -> None:
    sqs.queue["messages"] = [message(1, visible=False), {"id": 2, "receipt_handle": None, "visible_at": 0.0}]
    assert change(sqs, "1", "gone") == {"Successful": [], "Failed": ["some"]}
    assert change(sqs, "") == {"Successful": [], "Failed": ["some"]}

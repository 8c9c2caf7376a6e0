"""What a short application has made of one event: its fold's effects, through its sink, in the real tables on moto."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from moto import mock_aws

from clickstream.answers import HOUR, MINUTE, Application, Count, Distinct, Messages, Table, User
from clickstream.answers.declared import Addition, Sending
from clickstream.answers.fold import ShortFold
from clickstream.answers.needs import needs_of
from clickstream.answers.sink import AnswersSink
from clickstream.aws import Clients
from clickstream.consumers.explain.life import Effect, Processing, Put
from clickstream.consumers.explain.own import look
from clickstream.consumers.explain.views import Explainer
from clickstream.events import AddToCart, AnyEvent, Login, Purchase
from clickstream.records.position import Position
from clickstream.serving.pages.explain.life import _processing
from clickstream.settings import Settings
from tests.unit.serving import wishes

T = 1_795_521_600_000 + 7 * MINUTE  # 2026-11-24T12:07:00Z
SHARD = "shardId-000000000000"
CARTS = Table("carts", per=HOUR, carted=Count(), users=Distinct())
EVER = Table("ever", per=0, carted=Count())
NEWS = Messages("news")


class Cart(msgspec.Struct):
    product_id: str = ""
    items: int = 0


def counted(event: AddToCart, user: User[None]) -> Iterator[Addition]:
    yield CARTS.add(event.product_id, carted=1, users=user.id)
    yield EVER.add(event.product_id, carted=1)


def carted(event: AddToCart, user: User[Cart]) -> Iterator[Addition]:
    user.state.product_id = event.product_id
    user.state.items += 1
    user.wake("cart", event.occurred_at + HOUR)
    if user.state.items == 2:
        yield CARTS.add(event.product_id, carted=1)


def bought(event: Purchase, user: User[Cart]) -> None:
    user.forget()


def remind(user: User[Cart], at: int) -> Iterator[Sending]:
    yield NEWS.send(f"{user.id}:{at}", product_id=user.state.product_id)


COUNTING = Application("carts", on={"add_to_cart": counted}, answers=[CARTS, EVER])
REMINDING = Application(
    "reminders",
    on={"add_to_cart": carted, "purchase": bought},
    timers={"cart": remind},
    state=Cart,
    answers=[CARTS, NEWS],
)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    with mock_aws():
        yield Clients(Settings())


def work(clients: Clients, application: Application, events: list[AnyEvent]) -> None:
    """A worker's, from the first event to the last: one is at each position."""
    needs = needs_of(application)
    for table in needs.tables:
        clients.dynamodb.create_table(**table.creation(table.of(Settings())))
    for queue in needs.queues:
        clients.sqs.create_queue(QueueName=queue.of(Settings()), Attributes={"FifoQueue": "true"})
    fold, sink = ShortFold(application), AnswersSink(application, SHARD, clients, Settings())
    for at, event in enumerate(events):
        fold.apply([event])
        sink.write(fold.effects(flush=True), Position(at))


def cart(user: str, at_ms: int = T, product: str = "p") -> AddToCart:
    return AddToCart(event_id=f"{user}{at_ms}", user_id=user, session_id="s", occurred_at=at_ms, product_id=product, quantity=1)


def login(at_ms: int) -> Login:
    return Login(event_id=f"l{at_ms}", user_id="z", session_id="s", occurred_at=at_ms)


def looked(clients: Clients, application: Application, event: AnyEvent, at: int, shard: str = SHARD) -> Effect | None:
    put = Put(shard=shard, sequence_number=str(at), sub_sequence_number=0, arrived_at=T, members=1, fate="takes effect")
    return look(clients, Settings(), application, event, put)


def test_the_rows_that_an_event_counted_in(clients: Clients) -> None:
    events: list[AnyEvent] = [cart("ann"), cart("bob"), cart("bob", product="q")]
    work(clients, COUNTING, events)
    found = looked(clients, COUNTING, events[0], 0)
    assert found is not None
    assert found.what == "answered with"
    assert found.facts["rows"] == [
        {"table": "carts", "window": T - 7 * MINUTE, "key": "p", "values": {"carted": 2, "users": 2}},
        {"table": "ever", "window": None, "key": "p", "values": {"carted": 2}},
    ]
    said = _processing(Processing(application="carts", state="processed", effect=found))
    assert said == (
        "processed; answered with; rows table carts window 2026-11-24T12:00:00Z key p values carted 2 users 2, "
        "table ever key p values carted 2"
    )


def test_an_own_application_is_asked_by_its_declaration(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKSTREAM_APPLICATIONS", wishes.__name__)
    work(clients, wishes.APPLICATION, [cart("ann")])
    put = Put(shard=SHARD, sequence_number="0", sub_sequence_number=0, arrived_at=T, members=1, fate="takes effect")
    found = Explainer(clients, Settings())._effect("wishlist", cart("ann"), put)
    assert found is not None
    assert [row["values"]["wishes"] for row in found.facts["rows"]] == [1]


def test_what_was_processed_and_left_no_trace_says_so() -> None:
    assert (
        _processing(Processing(application="carts", state="processed")) == "processed; no effect of this event alone is found"
    )


def test_not_before_it_is_written_nor_on_another_shard_nor_for_other_events(clients: Clients) -> None:
    events: list[AnyEvent] = [cart("ann"), login(T)]
    assert looked(clients, COUNTING, events[0], 0) is None  # no tables yet
    work(clients, COUNTING, events)
    assert looked(clients, COUNTING, cart("bob"), 1) is None
    assert looked(clients, COUNTING, events[0], 0, shard="shardId-000000000001") is None
    assert looked(clients, COUNTING, events[1], 1) is None


def test_the_messages_that_were_sent_for_it(clients: Clients) -> None:
    # bob buys, cy never comes back; the login is what the watermark moves by
    paid = Purchase(
        event_id="b", user_id="bob", session_id="s", occurred_at=T + 1, order_id="o", items=(), amount=1, currency="EUR"
    )
    events: list[AnyEvent] = [cart("bob"), paid, cart("cy"), login(T + 3 * HOUR)]
    work(clients, REMINDING, events)
    assert looked(clients, REMINDING, events[0], 0) is None
    found = looked(clients, REMINDING, events[2], 2)
    assert found is not None
    assert found.what == "answered with, as far as the event alone tells"
    assert found.facts == {"rows": [], "messages": [{"messages": "news", "id": f"cy:{T + HOUR}", "state": "sent"}]}


def test_a_handler_that_fails_on_its_own_is_no_failure_of_the_answer(clients: Clients) -> None:
    def picky(event: AddToCart, user: User[Cart]) -> None:
        raise ValueError("who is it?")

    application = Application("picky", on={"add_to_cart": picky}, state=Cart)
    assert looked(clients, application, cart("ann"), 0) is None


def test_what_it_has_not_declared_or_no_store_takes_is_left_out(clients: Clients) -> None:
    def careless(event: AddToCart, user: User[None]) -> Iterator[Addition]:
        yield Table("other", n=Count()).add("k", n=1)
        yield CARTS.add(7, carted=1)  # type: ignore[arg-type]
        yield CARTS.add("p", carted=1)

    work(clients, COUNTING, [cart("ann")])
    application = Application("carts", on={"add_to_cart": careless}, answers=[CARTS])
    found = looked(clients, application, cart("ann"), 0)
    assert found is not None
    assert [row["table"] for row in found.facts["rows"]] == ["carts"]
    work_long = Application("carts", on={"add_to_cart": lambda *_: [CARTS.add("x" * 2_000, carted=1)]}, answers=[CARTS])
    assert looked(clients, work_long, cart("ann"), 0) is None


def test_where_an_application_declares_no_effect_nothing_is_said_of_it() -> None:
    assert _processing(Processing(application="archive", state="processed")) == "processed; its effect is not looked up here"
    assert "no effect of this event alone" in _processing(Processing(application="fraud", state="processed"))

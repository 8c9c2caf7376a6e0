"""A reminder for a cart that was left: one message, an hour after its last product, unless something was bought."""

import msgspec

from clickstream.answers import HOUR, Application, Messages

REMINDERS = Messages("reminders", to="sqs")


class Cart(msgspec.Struct):
    products: list[str] = []


def added(event, user):
    if event.product_id not in user.state.products:
        user.state.products.append(event.product_id)
    user.wake("cart", event.occurred_at + HOUR)


def removed(event, user):
    if event.product_id in user.state.products:
        user.state.products.remove(event.product_id)
    if not user.state.products:
        user.forget()


def bought(event, user):
    user.forget()


def remind(user, at):
    yield REMINDERS.send(f"{user.id}:{at}", user_id=user.id, products=user.state.products)
    user.forget()


APPLICATION = Application(
    "reminders",
    on={"add_to_cart": added, "remove_from_cart": removed, "purchase": bought},
    timers={"cart": remind},
    state=Cart,
    answers=[REMINDERS],
)

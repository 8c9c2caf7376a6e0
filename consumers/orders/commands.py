"""``clickstream orders``: what the shop's back office does by hand."""

import re

import click
import msgspec

from clickstream.errors import UserMistake
from clickstream.money import money
from clickstream.settings import from_env
from clickstream.terminal import json_line, shown

_DELIVERY = re.compile(r"(.+)=(\d{1,9})")


@click.group()
def orders() -> None:
    """Orders and the inventory. `clickstream worker orders` places orders; docs/explanation/orders.md has the workflow.

    \b
    Example:
      clickstream orders stock p-1=100 p-2=40
      clickstream orders show o-17
    """


@orders.command(epilog="Example: clickstream orders stock sku-1=100 sku-2=20")
@click.argument("deliveries", nargs=-1, metavar="[PRODUCT=QUANTITY]…")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout: product → available.")
def stock(deliveries: tuple[str, ...], as_json: bool) -> None:
    """Add deliveries to the inventory, and show what is available."""
    from clickstream.aws import Clients
    from clickstream.consumers.orders.views import inventory

    quantities: dict[str, int] = {}
    for delivery in deliveries:
        found = _DELIVERY.fullmatch(delivery)
        if found is None:
            raise click.BadParameter(f"{delivery!r} is not PRODUCT=QUANTITY")
        quantities[found.group(1)] = quantities.get(found.group(1), 0) + int(found.group(2))
    settings = from_env()
    shelves = inventory(Clients(settings), settings)
    shelves.add(quantities)
    available = dict(sorted(shelves.available().items()))
    if as_json:
        click.echo(json_line(available))
        return
    for product, quantity in available.items():
        click.echo(shown(f"{product}  {quantity:,}"))


@orders.command(epilog="Example: clickstream orders show o-4711 --json")
@click.argument("order_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def show(order_id: str, as_json: bool) -> None:
    """Where an order stands.

    \b
    With --json: {"order": {...}, "step", "reason", "told", "notified", "refused"}
      step       placed, reserved, confirmed, rejected or cancelled
      refused    orders of other purchases that came with the same id, each like this one, with step "refused"
      notified   the step that the customer was last told of
    """
    from clickstream.aws import Clients
    from clickstream.consumers.orders.views import order, refused

    settings = from_env()
    clients = Clients(settings)
    stored = order(clients, settings, order_id)
    others = refused(clients, settings, stored)
    if as_json:
        click.echo(json_line({**msgspec.structs.asdict(stored), "refused": others}))
        return
    placed = stored.order
    click.echo(
        f"{stored.step.value}{f' ({stored.reason})' if stored.reason else ''}; customer told: {stored.notified or 'nothing'}"
    )
    click.echo(shown(f"by {placed.user_id}, {money(placed.amount, placed.currency)}, purchase event {placed.event_id}"))
    for line in placed.lines:
        click.echo(shown(f"  {line.quantity} x {line.product_id}"))
    for other in others:
        by = other.order
        told = f"refused under the same id: by {by.user_id}, {money(by.amount, by.currency)}, purchase event {by.event_id}"
        click.echo(shown(told))


@orders.command()
@click.argument("order_id")
@click.option("--reason", default="by hand", show_default=True, help="What its customer is told.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def cancel(order_id: str, reason: str, dry_run: bool) -> None:
    """Cancel an order: its goods are available again, and its customer is told.

    \b
    Example:
      clickstream orders cancel o-4711 --reason "asked by phone" --dry-run
    """
    from clickstream.aws import Clients
    from clickstream.consumers.orders.messages import Step
    from clickstream.consumers.orders.steps import steps
    from clickstream.consumers.orders.views import order

    settings = from_env()
    clients = Clients(settings)
    stored = order(clients, settings, order_id)
    if stored.step in (Step.REJECTED, Step.CANCELLED):
        raise UserMistake(f"{order_id} is {stored.step.value} already", hint="`clickstream orders show` says why")
    if dry_run:
        click.echo(f"would cancel {shown(order_id)}, which is {stored.step.value}")
        return
    taken = steps(clients, settings)
    outcome = taken.release(stored.order, reason)
    taken.notify(stored.order)
    click.echo(f"{shown(order_id)} is {outcome.step.value}")

"""An event's life as lines for a terminal, and as a page. Pure."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from clickstream.consumers.explain.views import Life, Processing, Put
from clickstream.consumers.needs import applications
from clickstream.money import money
from clickstream.serving.moments import iso

_STATES = {
    "processed": "processed",
    "waiting": "waits: the application has not come so far",
    "dead-lettered": "rejected, and kept as a dead letter",
    "not for it": "was not given to it",
    "not reading": "has never read this shard",
}


def lines(life: Life) -> Iterator[tuple[str, str]]:
    """(when or who, what) of each step, in order."""
    for at_ms, what in ((life.made_at, "made: the time in its id"), (life.occurred_at, "occurred, as its sender says")):
        if at_ms is not None:
            yield iso(at_ms), what
    if life.trace_id is not None:
        yield "trace", life.trace_id
    for put in life.puts:
        yield iso(put.arrived_at), _put(put)
    if not life.puts:
        yield "stream", f"not found among what arrived {_stretch(life)}, in {len(life.shards_searched)} shards"
    for rest in life.not_searched:
        yield "not searched", f"{rest.shard}, {'all of it' if rest.since is None else f'what arrived since {iso(rest.since)}'}"
    for each in life.applications:
        yield each.application, _processing(each)
    for letter in life.letters or ():
        yield "dead letter", f"{letter.letter} of {letter.application}: {letter.reason} at {letter.path}"
    if life.order is not None:
        yield "order", _order(life.order, life.event_id)


def head(life: Life) -> str:
    """Which event it is, in one line."""
    if life.type is None:
        return f"{life.event_id}{'' if life.user_id is None else f' of {life.user_id}'}"
    return f"{life.event_id}: {life.type} of {life.user_id}, session {life.session_id}"


def address(event_id: str, user_id: str = "") -> str:
    """Of an event's page; the user saves reading the shards where it cannot be."""
    return f"/explain?{urlencode({'event': event_id} | ({'user': user_id} if user_id else {}))}"


def panel(life: Life) -> str:
    """The same as HTML for a page; nothing of an event is taken for markup."""
    rows = "\n".join(
        f'<tr><th scope="row">{escape(when)}</th><td class="wrap">{escape(what)}</td></tr>' for when, what in lines(life)
    )
    if life.order is not None and (placed_by := life.order["event_id"]) != life.event_id:
        link = f'<a class="id" href="{escape(address(placed_by))}">{escape(placed_by)}</a>'
        rows += f'\n<tr><th scope="row">placed by</th><td class="wrap">{link}</td></tr>'
    # a slash of an id is none of the path: "a/../b" would lead a browser elsewhere
    link = f'<a href="/v1/explain/{quote(life.event_id, safe="")}">JSON</a>'
    return (
        f'<section class="panel">\n<header><h2>{escape(head(life))}</h2> {link}</header>\n'
        '<div class="scroll" tabindex="0" role="region" aria-label="What became of it">\n'
        f'<table class="life"><tbody>\n{rows}\n</tbody></table>\n</div>\n</section>'
    )


def _put(put: Put) -> str:
    company = "" if put.members == 1 else f", in a record of {put.members} events"
    place = f"put on {put.shard} as {put.sequence_number}.{put.sub_sequence_number}{company}"
    match put.fate:
        case "duplicate":
            return f"{place}: a repetition, which the folds drop"
        case "rejected":
            return f"{place}: rejected, {put.reason}"
        case "not at home":
            return f"{place}: {put.reason}; a publisher that a reshard overtook puts it again"
        case "takes effect":
            return place if put.redriven_for is None else f"{place}: redriven for {put.redriven_for}"


def _processing(each: Processing) -> str:
    said = [_STATES[each.state]]
    if each.effect is not None:
        said.append(each.effect.what)
        if each.effect.model_version:
            said.append(f"model {each.effect.model_version}")
        said += [_fact(name, value) for name, value in each.effect.facts.items() if value != []]
    elif each.state == "processed":
        needs = applications().get(each.application)
        looked_up = needs is None or needs.own or needs.effect
        said.append("no effect of this event alone is found" if looked_up else "its effect is not looked up here")
    if each.latency_ms is not None:
        said.append(f"{each.latency_ms:,} ms after the put")
    elif each.usual_p50_ms is not None:
        said.append(f"usually {each.usual_p50_ms:,} ms after the put (p99 {each.usual_p99_ms:,} ms)")
    if each.state == "waiting" and each.behind_ms is not None:
        said.append(f"the shard is {each.behind_ms:,} ms behind")
    if each.owner:
        said.append(f"by {each.owner}")
    return "; ".join(said)


def _fact(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return f"{name} {' '.join(_fact(*each) for each in value.items() if each[1] is not None)}"
    if isinstance(value, list):
        return f"{name} {', '.join(_fact('', each).lstrip() for each in value)}"
    return f"{name} {iso(value) if name in _TIMES and isinstance(value, int) else value}"


def _order(order: Mapping[str, Any], event_id: str) -> str:
    reason = f", {order['reason']}" if order["reason"] else ""
    goods = ", ".join(f"{line['quantity']:,} × {line['product_id']}" for line in order["lines"])
    said = [f"{order['order_id']}: {order['step']}{reason}", f"{goods}, {money(order['amount'], order['currency'])}"]
    if order["event_id"] != event_id:
        said.append(f"placed by the event {order['event_id']} before")
    if order["told"] == "pending":
        said.append("the workflow was not told yet")
    if order["notified"]:
        said.append(f"the customer knows that it is {order['notified']}")
    return "; ".join(said)


#: Facts of an effect that are times.
_TIMES = frozenset({"minute", "offer_made_at", "window"})


def _stretch(life: Life) -> str:
    start, end = life.searched.start_ms, life.searched.end_ms
    return f"from {'the oldest record' if start is None else iso(start)} to {'now' if end is None else iso(end)}"

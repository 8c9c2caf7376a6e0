"""What fraud has made of one event."""

from __future__ import annotations

from clickstream.aws import Clients
from clickstream.events import AnyEvent, Purchase
from clickstream.settings import Settings
from consumers.explain.life import Effect, Put


def look(clients: Clients, settings: Settings, event: AnyEvent, _: Put) -> Effect | None:
    if not isinstance(event, Purchase):
        return None
    # the model's libraries cost half a second to import, which only a purchase pays
    from consumers.fraud.views import Decisions

    decision = Decisions(clients, settings).on(event.event_id, event)
    if decision is None:
        return None
    return Effect(
        what=f"decided: {decision.verdict.value}",
        at=decision.decided_at,
        model_version=decision.model_version,
        facts={
            "score": decision.score,
            "source": decision.source.value,
            "reasons": [reason.feature for reason in decision.reasons],
        },
    )

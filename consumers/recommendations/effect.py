"""What recommendations has made of one event."""

from __future__ import annotations

from clickstream.aws import Clients
from clickstream.events import AnyEvent
from clickstream.settings import Settings
from consumers.explain.effects import item
from consumers.explain.life import Effect, Put
from consumers.recommendations import table_items
from consumers.recommendations.needs import OFFERS


def look(clients: Clients, settings: Settings, event: AnyEvent, put: Put) -> Effect | None:
    """The visitor's offer, if it was made of this event or of later ones too."""
    found = item(
        clients,
        OFFERS.of(settings),
        {"subject": {"S": table_items.subject(event.user_id)}, "part": {"S": table_items.OFFER}},
    )
    if found is None or found["position"]["S"] < str(put.position):
        return None
    # written again with each of the visitor's events: the time is that of the last
    return Effect(
        what="the visitor's offer includes it",
        model_version=found["version"]["S"] or None,
        facts={"offer_made_at": int(found["made_at"]["N"])},
    )

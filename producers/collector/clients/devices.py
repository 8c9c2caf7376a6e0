"""What kind of device a browser says it runs on. Only the kind is kept; a User-Agent as a whole is nearly a name. Pure."""

import re

import msgspec

from clickstream.events import AnyEvent, DeviceKind

#: In order: a bot may call itself a phone, a tablet's name may hold a phone's. Android says "Mobile" on phones alone.
_SIGNS: tuple[tuple[re.Pattern[str], DeviceKind], ...] = (
    (re.compile(r"bot\b|crawl|spider|slurp|headless", re.IGNORECASE), "bot"),
    (re.compile(r"ipad|tablet|kindle|silk/|android(?!.*mobile)", re.IGNORECASE), "tablet"),
    (re.compile(r"iphone|ipod|android.*mobile|windows phone|mobile", re.IGNORECASE), "phone"),
    (re.compile(r"windows nt|macintosh|x11|cros", re.IGNORECASE), "desktop"),
)
#: A longer header is cut: what says the kind stands at its beginning.
_LOOKED_AT = 400


def kind(user_agent: str) -> DeviceKind | None:
    """None when there is no User-Agent."""
    if not user_agent:
        return None
    for sign, found in _SIGNS:
        if sign.search(user_agent[:_LOOKED_AT]):
            return found
    return "other"


def named(event: AnyEvent, kind: DeviceKind | None) -> AnyEvent:
    """The event with this kind of device, unless it names its own."""
    if kind is None or event.context.device_kind:
        return event
    return msgspec.structs.replace(event, context=msgspec.structs.replace(event.context, device_kind=kind))

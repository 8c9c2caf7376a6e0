"""The keys and contents of the recommendations table. Pure.

subject               part      what
user#USER_ID          offer     what to show this visitor
popular               SHARD     what to show a stranger, as that shard's visitors have it
hit-rate              SHARD     how often a click was on what had been shown
"""

from collections.abc import Sequence

import msgspec

from clickstream.models.recommender.model import Recommended

KEYS = ("subject", "part")
POPULAR = "popular"
HIT_RATE = "hit-rate"
OFFER = "offer"


_USER = "user#"


def subject(user_id: str) -> str:
    return f"{_USER}{user_id}"


def user_of(subject: str) -> str:
    return subject.removeprefix(_USER)


def encode(items: Sequence[Recommended]) -> bytes:
    return msgspec.msgpack.encode(items)


def decode(content: bytes) -> list[Recommended]:
    """Raises msgspec.MsgspecError."""
    return msgspec.msgpack.decode(content, type=list[Recommended])

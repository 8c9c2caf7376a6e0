"""What all paged listings share."""

from __future__ import annotations

import msgspec

from clickstream.infra.local.kinesis.model.errors import (
    ExpiredNextTokenException,
    InvalidArgumentException,
    ResourceInUseException,
)
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.streams import Stream
from clickstream.infra.local.kinesis.model.tokens import LIFE_MS, ListingToken


def open_listing_token(kinesis: Kinesis, operation: str, text: str, now_ms: int) -> ListingToken:
    """The pagination token's content, if this operation gave it and it is not five minutes old."""
    try:
        token = kinesis.seal.unseal(text, ListingToken)
    except (ValueError, msgspec.MsgspecError):
        raise InvalidArgumentException("NextToken is invalid.") from None
    if token.operation != operation:
        raise InvalidArgumentException("NextToken is invalid.")
    if now_ms - token.issued_ms > LIFE_MS:
        raise ExpiredNextTokenException("NextToken has expired.")
    return token


def check_creation(stream: Stream, created_ms: int | None) -> None:
    """Refuse a call that means an earlier or later stream of the same name; seconds decide."""
    if created_ms is not None and created_ms // 1000 != stream.state.created_ms // 1000:
        raise ResourceInUseException(f"Stream {stream.state.name} was created at another time than the one given.")

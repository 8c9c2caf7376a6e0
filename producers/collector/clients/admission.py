"""Who may send: an API key, or without a file of keys this machine alone; and how much."""

from collections.abc import Iterable, Sequence

import msgspec
from starlette.requests import Request

from clickstream.producers.collector.answers import Refused
from clickstream.producers.collector.clients import addresses
from clickstream.producers.collector.clients.keys import ApiKey, digest
from clickstream.token_bucket import TokenBucket
from clickstream.web.listening import LOOPBACK_NAMES, host_name


class Sender(msgspec.Struct, frozen=True):
    address: str
    """Of the visitor's side, as it counts (not hashed yet); empty when it cannot be told."""
    relay: bool
    """Speaks for visitors, whose addresses it gives in each event."""
    bucket: TokenBucket | None
    """None: unlimited."""

    def charge(self, events: int, now: float) -> None:
        """Raises Refused (429), with nothing taken, when the sender is over its rate."""
        if self.bucket is not None and (wait := self.bucket.take(events, now)):
            raise _over_rate(wait)


class Admission:
    """Decides over a request by its head; the body is not read for one that is refused."""

    def __init__(self, keys: Iterable[ApiKey] | None, trusted: Sequence[addresses.Network], now: float) -> None:
        self._known = None if keys is None else {key.sha256: (key, TokenBucket(key.rate, key.burst, now)) for key in keys}
        self._trusted = trusted

    def admit(self, request: Request, now: float) -> Sender:
        """Raises Refused: 401 or 403, or 429 for one that is over its rate already."""
        peer = request.client.host if request.client else ""
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        address = addresses.client(peer, forwarded, self._trusted)
        if self._known is None:
            self._local_only(request, address, forwarded)
            return Sender(str(address), relay=True, bucket=None)
        # looked up by hash: how far a wrong key agrees with a right one cannot be seen in the time that this takes
        found = self._known.get(digest(_presented(request)))
        if found is None:
            raise Refused(401, "no API key, or one that is not known", "send the header `Authorization: Bearer KEY`")
        key, bucket = found
        if wait := bucket.wait_for(1, now):
            raise _over_rate(wait)
        return Sender("" if address is None else str(address), key.relay, bucket)

    def _local_only(self, request: Request, address: addresses.Address | None, forwarded: str) -> None:
        hint = "start it with --keys FILE, see `clickstream collect keys add --help`"
        if address is None or not address.is_loopback or (forwarded and not self._trusted):
            raise Refused(403, "this collector has no API keys, so it serves this machine alone", hint)
        # a foreign name means that some web page has pointed its own name at this machine
        if host_name(request.headers.get("host", "")) not in LOOPBACK_NAMES:
            raise Refused(403, "this collector has no API keys, so it answers to no other host name than localhost", hint)


def _presented(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    # a beacon cannot set a header; a key that is in a page's source is no secret
    return request.headers.get("x-api-key") or request.query_params.get("key", "")


def _over_rate(wait: float) -> Refused:
    return Refused(429, "over the rate of this API key; nothing of this request was taken", retry_after=wait)

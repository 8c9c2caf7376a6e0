"""Keyed hashes in place of what could name a person: addresses, devices, cards.

The same input under the same key gives the same text, so counting and joining work on it; without the key nobody can try all
four thousand million addresses, or card numbers, against it.
"""

import hmac

import msgspec
from msgspec import UNSET

from clickstream.events import AnyEvent, Purchase

#: Bytes of HMAC-SHA256 that are kept: at 128 bits no two inputs of a shop's meet.
_BYTES = 16


class Fingerprints:
    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("a hash key has at least 16 bytes")
        self._secret = secret

    def ip(self, address: str) -> str:
        return self._hash(b"ip:", address)

    def device(self, device: str) -> str:
        return self._hash(b"device:", device)

    def payment(self, fingerprint: str) -> str:
        return self._hash(b"payment:", fingerprint)

    def _hash(self, field: bytes, value: str) -> str:
        """32 hex digits; the field's name keeps equal texts of two fields apart. Nothing stays nothing."""
        if not value:
            return ""
        return hmac.digest(self._secret, field + value.encode(), "sha256")[:_BYTES].hex()

    def hide(self, event: AnyEvent, ip: str) -> AnyEvent:
        """The event as it may go to the stream; ``ip`` is the hash of the visitor's address.

        What the client calls a hash is hashed again: whether it was one cannot be told from a card number in hex.
        """
        context = event.context
        # what is traced is decided here, not by the client
        hidden = msgspec.structs.replace(context, ip=ip, device=self.device(context.device), traceparent=UNSET)
        if isinstance(event, Purchase) and event.payment_fingerprint:
            return msgspec.structs.replace(event, context=hidden, payment_fingerprint=self.payment(event.payment_fingerprint))
        return msgspec.structs.replace(event, context=hidden)

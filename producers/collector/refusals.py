"""Requests that are answered as a whole, before any event of theirs is looked at."""

from __future__ import annotations

from math import ceil

from clickstream.errors import ClickstreamError
from producers.collector.answers import RETRY_AFTER_S


class Refused(ClickstreamError):
    """A request that goes no further: an HTTP status, a line for the developer who sent it, and a hint."""

    def __init__(self, status: int, message: str, hint: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.hint = hint
        self.headers = {} if retry_after is None else {"Retry-After": str(max(1, ceil(retry_after)))}
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"


def busy() -> Refused:
    return Refused(503, "too much is on its way already; nothing of this request was taken", retry_after=RETRY_AFTER_S)

"""The W3C trace context in an event. Pure; costs no tracing library.

``00-<32 hex: trace>-<16 hex: span>-<2 hex: flags>``.
"""

import re

import msgspec

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1


class TraceParent(msgspec.Struct, frozen=True):
    """A span of another process."""

    trace_id: int
    span_id: int
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.sampled):02x}"


def parse(text: object) -> TraceParent | None:
    """None for what is no trace context: a sender's mistake there must not keep an event from being processed."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
        return None
    trace_id, span_id = int(found[2], 16), int(found[3], 16)
    if not trace_id or not span_id:
        return None
    return TraceParent(trace_id, span_id, bool(int(found[4], 16) & _SAMPLED))

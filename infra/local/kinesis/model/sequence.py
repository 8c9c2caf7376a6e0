"""Sequence numbers of AWS's form: decimal numbers of 56 digits.

From the most significant bit: a version (2), the shard's epoch in seconds, a counter, the arrival time in milliseconds, the
shard's index, a version again. The epoch of a child is greater than its parents', so every number of a child is greater than
every number of its parents, and the counter orders the numbers of one shard whatever the clock does.
"""

from __future__ import annotations

from typing import NamedTuple

_INDEX_SHIFT = 8
_ARRIVAL_SHIFT = 40
_COUNTER_SHIFT = 84
_EPOCH_SHIFT = 148
_VERSION_SHIFT = 184
_VERSION = 2

#: Counter of a closed shard's EndingSequenceNumber: above every record's.
LAST_COUNTER = 2**63 - 1
#: Counter of a shard's StartingSequenceNumber: below every record's.
FIRST_COUNTER = 0


class SequenceNumber(NamedTuple):
    """The parts of a sequence number."""

    epoch_s: int
    counter: int
    arrival_ms: int
    shard_index: int


def prefix(epoch_s: int, shard_index: int) -> int:
    """The part that all numbers of one shard share; see :func:`render`."""
    return (_VERSION << _VERSION_SHIFT) | (epoch_s << _EPOCH_SHIFT) | (shard_index << _INDEX_SHIFT) | _VERSION


def render(shard_prefix: int, counter: int, arrival_ms: int) -> str:
    """A sequence number as the API writes it."""
    return str(shard_prefix + (counter << _COUNTER_SHIFT) + (arrival_ms << _ARRIVAL_SHIFT))


def parse(text: str) -> SequenceNumber:
    """The parts of a sequence number; ValueError when ``text`` is not one of ours."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 129):
        raise ValueError("not a decimal number")
    value = int(text)
    if value >> _VERSION_SHIFT != _VERSION or value & 0xFF != _VERSION:
        raise ValueError("not of this version")
    return SequenceNumber(
        epoch_s=(value >> _EPOCH_SHIFT) & (2**36 - 1),
        counter=(value >> _COUNTER_SHIFT) & (2**64 - 1),
        arrival_ms=(value >> _ARRIVAL_SHIFT) & (2**44 - 1),
        shard_index=(value >> _INDEX_SHIFT) & (2**32 - 1),
    )

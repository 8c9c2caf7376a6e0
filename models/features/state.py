"""An engine's state, encoded: whole, or what was added since. Pure."""

import msgspec


class TrackHeader(msgspec.Struct, frozen=True, array_like=True):
    """Says what an encoded state holds: after the definition has changed, tracks that mean something else start empty."""

    name: str
    columns: tuple[str, ...]


class Journal(msgspec.Struct, frozen=True, array_like=True):
    """The observations that were added to one track, in order of arrival: one key, and so many bytes of ``records``, each."""

    keys: list[str]
    records: bytes


class State(msgspec.Struct, frozen=True, array_like=True):
    """A whole state has ``histories``, changes have ``journals``: one per track, by key the bytes of its history."""

    watermark_ms: int
    tracks: tuple[TrackHeader, ...]
    histories: list[dict[str, bytes]]
    journals: list[Journal]


class Unsaved:
    """The observations of one track that no state has yet."""

    __slots__ = ("keys", "records")

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.records = bytearray()

    def taken(self) -> Journal:
        """All of them, which are saved now."""
        journal = Journal(self.keys.copy(), bytes(self.records))
        self.keys.clear()  # not new ones: the engine's hot path holds on to these
        self.records.clear()
        return journal

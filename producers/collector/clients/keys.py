"""API keys: a JSON file of names, rates and hashes. The key itself is shown once and is kept nowhere.

A key has 256 random bits, so no dictionary helps against its SHA-256; a slow password hash would only make each request dear.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec

from clickstream.errors import Missing, UserMistake

PREFIX = "ck_"
#: Of a key that is given no other.
RATE, BURST = 1_000.0, 5_000.0


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    sha256: str
    """Hex digest of the whole key."""
    rate: float = RATE
    """Events per second over the long run."""
    burst: float = BURST
    """Events at once after a pause."""
    relay: bool = False
    """Its holder is a server that speaks for visitors: the ip in its events' context counts, not its own. (It is hashed.)"""

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.burst < 1:
            raise ValueError("a rate is above 0 and a burst at least 1")
        if len(self.sha256) != 64:
            raise ValueError(f"the hash of {self.name} is not a SHA-256 in hex")


class _File(msgspec.Struct):
    keys: list[ApiKey] = []


def digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def generate(name: str, *, rate: float = RATE, burst: float = BURST, relay: bool = False) -> tuple[str, ApiKey]:
    key = PREFIX + secrets.token_urlsafe(32)
    return key, ApiKey(name=name, sha256=digest(key), rate=rate, burst=burst, relay=relay)


def read(path: Path) -> list[ApiKey]:
    """The entries of a file; raises Missing when it is not there, UserMistake when it is not what ``write`` made."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Missing(
            f"cannot read the keys in {path}: {error.strerror}", hint=f"clickstream collect keys add NAME --keys {path}"
        ) from error
    try:
        return msgspec.json.decode(content, type=_File).keys
    except msgspec.MsgspecError as error:
        raise UserMistake(f"{path} is not a file of keys: {error}", hint="restore it, or begin a new one") from error


def write(path: Path, keys: Iterable[ApiKey]) -> None:
    """Replace the file as one step, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(_File(list(keys)))) + b"\n")
    new.replace(path)

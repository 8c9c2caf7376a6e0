"""Clients' ids as states keep them: of bounded size, however long a client makes them. Pure."""

from collections.abc import Callable, Sequence
from hashlib import blake2b

from clickstream.records.routing import hash_key

#: Characters of an ASCII id that is kept as it is; a UUID has 36.
KEPT_WHOLE = 40
#: Before a digest: no id has a control character.
_DIGEST = "\x1f"


def kept(text: str, whole: int = KEPT_WHOLE) -> str:
    """The text, or its digest when it has more than ``whole`` characters or is not ASCII. Kept again it stays the same."""
    if len(text) <= whole and text.isascii():
        return text
    return _DIGEST + blake2b(text.encode(), digest_size=16).hexdigest()


def kept_user(user_id: str) -> str:
    """The same for a user; the digest is the key by which Kinesis knows it, which says where it moves."""
    return user_id if len(user_id) <= KEPT_WHOLE and user_id.isascii() else _DIGEST + hash_key(user_id).hex()


def all_kept(texts: Sequence[str], keep: Callable[[str], str] = kept) -> Sequence[str]:
    """``keep`` of each. Nearly always they stay as they are, so all are looked at together."""
    if "".join(texts).isascii() and max(map(len, texts), default=0) <= KEPT_WHOLE:
        return texts
    return [keep(text) for text in texts]


def kept_hash_key(kept_id: str) -> bytes:
    """The hash key of a user that :func:`kept_user` made."""
    return bytes.fromhex(kept_id[1:]) if kept_id.startswith(_DIGEST) else hash_key(kept_id)

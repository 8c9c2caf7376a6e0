"""The secret behind the fingerprints: CLICKSTREAM_HASH_KEY, or for a machine of one's own a file that is made once."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from clickstream.errors import UserMistake
from clickstream.settings import Settings

FILE = "hash-key"
_LEAST_CHARACTERS = 16


def load(settings: Settings, *, may_generate: bool) -> bytes:
    """The secret; raises UserMistake when it is too short, or not set where it may not be generated.

    Collectors of one stream must share it (or a visitor has two fingerprints), so only one that serves this machine alone
    makes its own, in ``settings.local_dir``.
    """
    if settings.hash_key:
        return _checked(settings.hash_key, "CLICKSTREAM_HASH_KEY")
    if not may_generate:
        raise UserMistake(
            "no secret for the fingerprints of addresses and cards, and collectors of one stream must share one",
            hint="set CLICKSTREAM_HASH_KEY, for example to the output of `openssl rand -hex 32`, kept with your secrets",
        )
    file = settings.local_dir / FILE
    if not file.exists():
        _generate(file)
    return _checked(file.read_text().strip(), str(file))


def _checked(text: str, where: str) -> bytes:
    if len(text) < _LEAST_CHARACTERS:
        raise UserMistake(
            f"{where} has fewer than {_LEAST_CHARACTERS} characters", hint="take the output of `openssl rand -hex 32`"
        )
    return text.encode()


def _generate(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{FILE}.{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(secrets.token_hex(32) + "\n")
    # a link, not a rename: of two collectors that start at once the second takes the first one's secret
    with suppress(FileExistsError):
        os.link(draft, file)
    draft.unlink()

"""What only training and evaluating need is an extra; without it a command says so in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clickstream.errors import Missing

#: Modules of the extra ``models``, see pyproject.toml.
_MODULES = frozenset({"matplotlib", "sklearn"})


@contextmanager
def models_extra() -> Iterator[None]:
    """Around imports: raises Missing, with a hint, for what the extra would bring."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in _MODULES:
            raise
        raise Missing(
            f"this needs {name}, which is not installed", hint='pip install "clickstream[models]", or `uv sync --extra models`'
        ) from error

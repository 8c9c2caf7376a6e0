"""The first set-up of the embedded AWS is ended by whoever asks for it, and blames nobody."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
import uv

from clickstream.infra.local import ministack


def _uv(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    program = folder / "uv"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(uv, "find_uv_bin", lambda: str(program))


def test_a_stop_that_was_requested_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _uv(monkeypatch, tmp_path, "exec sleep 600")
    said: list[str] = []
    requested = Event()
    requested.set()
    with pytest.raises(KeyboardInterrupt):
        ministack.install(tmp_path, said.append, requested)
    assert said[1:] == ["interrupted"]


def test_an_end_by_a_signal_is_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _uv(monkeypatch, tmp_path, "kill -INT $$; sleep 1")
    with pytest.raises(KeyboardInterrupt):
        ministack.install(tmp_path, print)

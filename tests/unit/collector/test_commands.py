"""``clickstream collect``: its keys, and the mistakes that it names before anything listens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clickstream.cli import main
from clickstream.producers.collector.clients import keys


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["collect", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_key_is_printed_once_listed_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys.json"
    assert run("keys", "add", "web", "--keys", str(file), "--rate", "5", "--burst", "7") == 0
    said = capsys.readouterr()
    key = said.out.strip()
    (entry,) = keys.read(file)
    assert entry.sha256 == keys.digest(key)
    assert (entry.name, entry.rate, entry.burst, entry.relay) == ("web", 5, 7, False)
    assert key not in said.err

    assert run("keys", "add", "web", "--keys", str(file)) == 1
    assert "there is a key named web" in capsys.readouterr().err
    assert run("keys", "list", "--keys", str(file)) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "web", "rate": 5.0, "burst": 7.0, "relay": False}
    assert run("keys", "remove", "web", "--keys", str(file)) == 0
    assert keys.read(file) == []
    assert run("keys", "remove", "web", "--keys", str(file)) == 1
    assert "no key named web" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--host", "0.0.0.0"], 1, "add --allow-remote"),
        (["--host", "0.0.0.0", "--allow-remote"], 1, "needs API keys"),
        (["--keys", "missing.json"], 1, "clickstream collect keys add"),
        (["--origin", "*"], 2, "is not like https://shop.example"),
        (["--origin", "https://shop.example/path"], 2, "is not like https://shop.example"),
        (["--trusted-proxy", "10.0.0.1/8"], 2, "host bits"),
    ],
)
def test_mistakes(
    arguments: list[str],
    code: int,
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments, "--port", "0") == code
    assert complaint in capsys.readouterr().err


def test_a_network_needs_a_secret_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("keys", "add", "web", "--keys", "keys.json") == 0
    assert run("--host", "0.0.0.0", "--allow-remote", "--keys", "keys.json") == 1
    assert "CLICKSTREAM_HASH_KEY" in capsys.readouterr().err

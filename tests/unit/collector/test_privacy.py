"""Keyed hashes, the key's place, API keys at rest."""

from __future__ import annotations

import hashlib
import hmac
import stat
from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest

from clickstream.errors import Missing, UserMistake
from clickstream.events import Context, decode
from clickstream.producers.collector.clients import addresses, hash_key, keys
from clickstream.producers.collector.clients.fingerprints import Fingerprints
from clickstream.settings import Settings
from tests.unit.collector.conftest import SECRET, purchase


def test_what_names_a_person_is_hashed_under_the_key_and_nothing_else_changes() -> None:
    before = decode(
        msgspec.json.encode(purchase(payment_fingerprint="4111", context={"ip": "x", "device": "d", "country": "FI"}))
    )
    after = Fingerprints(SECRET).hide(before, "hash-of-ip")
    expected = hmac.new(SECRET, b"payment:4111", hashlib.sha256).hexdigest()[:32]
    device = hmac.new(SECRET, b"device:d", hashlib.sha256).hexdigest()[:32]
    assert after == msgspec.structs.replace(
        before,
        payment_fingerprint=expected,
        context=Context("hash-of-ip", device, "FI", ""),
    )


def test_the_same_text_is_another_hash_in_another_field_or_under_another_key() -> None:
    ours, theirs = Fingerprints(SECRET), Fingerprints(b"another secret of the test")
    assert len({ours.ip("x"), ours.device("x"), ours.payment("x"), theirs.ip("x")}) == 4
    assert ours.ip("") == ours.payment("") == ""
    with pytest.raises(ValueError, match="16 bytes"):
        Fingerprints(b"short")


def test_a_local_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(local_dir=tmp_path / "local")
    first = hash_key.load(settings, may_generate=True)
    assert hash_key.load(settings, may_generate=True) == first
    assert len(first) >= 32
    assert stat.S_IMODE((tmp_path / "local" / hash_key.FILE).stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "local").iterdir()] == [hash_key.FILE]


def test_the_settings_secret_comes_first_and_a_served_network_needs_one(tmp_path: Path) -> None:
    assert hash_key.load(Settings(hash_key="sixteen letters!", local_dir=tmp_path), may_generate=False) == b"sixteen letters!"
    with pytest.raises(UserMistake, match="fewer than 16"):
        hash_key.load(Settings(hash_key="short"), may_generate=True)
    with pytest.raises(UserMistake, match="no secret"):
        hash_key.load(Settings(local_dir=tmp_path), may_generate=False)


def test_keys_are_hashed_at_rest(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key, entry = keys.generate("shop", rate=5, burst=9, relay=True)
    other, other_entry = keys.generate("app")
    keys.write(file, [entry, other_entry])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key not in file.read_text()
    assert key.removeprefix(keys.PREFIX) not in file.read_text()
    known = {each.sha256: each for each in keys.read(file)}
    assert known[keys.digest(key)] == entry
    assert known[keys.digest(other)] == other_entry
    assert (entry.rate, entry.burst, entry.relay) == (5, 9, True)
    for wrong in ("", entry.sha256, key[:-1], key + " ", "\udcff"):
        assert keys.digest(wrong) not in known


def test_a_broken_file_of_keys_is_a_mistake_not_an_open_door(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with pytest.raises(Missing):
        keys.read(file)
    for content in (
        '{"keys": [{"name": "x"}]}',
        "",
        '{"keys":[{"name":"x","sha256":"1"}]}',
        '{"keys":[{"name":"x","sha256":"1","rate":0}]}',
    ):
        file.write_text(content)
        with pytest.raises(UserMistake, match="not a file of keys"):
            keys.read(file)


PROXIES = [ip_network("10.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1 ,10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "", "203.0.113.9"),
        ("testclient", "198.51.100.1", "None"),
        ("10.0.0.1", "203.0.113.7:54321", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1, 10.0.0.2:8080", "2001:db8::1"),
        ("10.0.0.1", "fe80::1%eth0", "fe80::1"),
        ("10.0.0.1", "[fe80::1%25eth0]:443", "fe80::1"),
        ("10.0.0.1", "[::ffff:203.0.113.7]:1", "203.0.113.7"),
        ("[::1]", "203.0.113.7:1", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7:x", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7:123456", "10.0.0.1"),
        ("10.0.0.1", "[203.0.113.7", "10.0.0.1"),
        ("10.0.0.1", "[]:443", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "_hidden:1", "10.0.0.1"),
        ("10.0.0.1", ", ,", "10.0.0.1"),
        ("10.0.0.1", "9" * 5_000, "10.0.0.1"),
    ],
)
def test_whose_address_counts(peer: str, forwarded: str, client: str) -> None:
    assert str(addresses.client(peer, forwarded, PROXIES)) == client

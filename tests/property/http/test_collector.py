"""The collector's endpoint under anything a client may send, while the stream takes, refuses or swallows it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clickstream.producers.collector.bodies import Bounds
from clickstream.producers.collector.clients import keys
from tests.unit.collector.conftest import Site, event, purchase
from tests.unit.collector.stream import Mood

KEY, ENTRY = keys.generate("fuzz", rate=1e9, burst=1e9)
#: What a request may be answered with; of the 5xx the one that says "later".
STATUSES = {200, 207, 400, 401, 404, 405, 413, 415, 422, 503}

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_valid = st.builds(event, event_id=st.sampled_from("abcdef"), user_id=st.text(min_size=1, max_size=256)) | st.builds(
    purchase, event_id=st.sampled_from("abcdef"), payment_fingerprint=st.text(max_size=256)
)


@st.composite
def _broken(draw: st.DrawFn) -> dict[str, Any]:
    """A valid event with one field replaced, removed or added."""
    fields = draw(_valid)
    name = draw(st.sampled_from([*fields, "context", "redriven_for", "schema_version"]) | st.text(max_size=8))
    if draw(st.booleans()):
        return {**fields, name: draw(_json)}
    return {key: value for key, value in fields.items() if key != name}


_documents = st.lists(_valid | _broken() | _json, max_size=8)
_bodies = st.one_of(
    st.binary(max_size=300),
    _json.map(lambda value: json.dumps(value).encode()),
    _documents.map(lambda documents: json.dumps(documents).encode()),
    _documents.map(lambda documents: "\n".join(map(json.dumps, documents)).encode()),
    st.integers(0, 3_000).map(lambda depth: b"[" * depth + b"]" * depth),
    st.integers(0, 3_000).map(lambda depth: b'{"a":' * depth),
    st.integers(1, 60).map(lambda size: json.dumps([event()] * size).encode()),
    st.sampled_from([b'{"event_id":1e999}', b'{"a":"\\ud800","event_id":"x"}', b"[" + b"9" * 5_000 + b"]", b"\xef\xbb\xbf{}"]),
)
_types = st.sampled_from(["application/json", "application/x-ndjson"])
_moods: st.SearchStrategy[Mood] = st.sampled_from(["takes", "takes", "full", "fails", "too large"])


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(keys=[ENTRY], peer="203.0.113.9", bounds=Bounds(body_bytes=20_000, inflated_bytes=50_000, events=50))


@given(_bodies, _types, st.booleans(), _moods)
@example(gzip.compress(bytes(10_000_000)), "application/json", False, "takes")
def test_a_body_is_never_a_fault_and_what_is_accepted_is_in_the_stream(
    site: Site, body: bytes, content_type: str, zipped: bool, mood: Mood
) -> None:
    site.stream.mood = mood
    site.stream.records.clear()
    headers = {"content_type": content_type, "x_api_key": KEY}
    answer = site.post(gzip.compress(body) if zipped else body, **headers, **({"content_encoding": "gzip"} if zipped else {}))
    assert answer.status_code in STATUSES
    said = answer.json()
    assert ("Retry-After" in answer.headers) == (answer.status_code == 503)
    accepted = Counter(each["event_id"] for each in said.get("events", ()) if each["status"] == "accepted")
    assert accepted == Counter(taken["event_id"] for taken in site.taken())
    assert all(each["errors"] for each in said.get("events", ()) if each["status"] == "rejected")
    assert (answer.status_code == 200) == (bool(accepted) and accepted.total() == len(said["events"]))


_names = st.sampled_from(
    ["content-type", "content-encoding", "content-length", "authorization", "x-api-key", "x-forwarded-for"]
)
_values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40) | st.sampled_from(
    ["gzip", "application/json", f"Bearer {KEY}", KEY, "-1", "99999999999999999999", "1e3", "²"]
)


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "NONSENSE"]),
    st.sampled_from(
        ["/v1/events", "/v1/events/", "/", "/clickstream.js", "/..%2fx", f"/v1/events?key={KEY}", "/v1/events?key=%ff"]
    ),
    st.lists(st.tuples(_names, _values), max_size=4),
    st.binary(max_size=50),
)
def test_heads_are_never_a_fault(site: Site, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> None:
    site.stream.mood = "takes"
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    answer = site.client.request(method, path, content=body, headers=encoded, follow_redirects=False)
    assert answer.status_code in STATUSES | {307}

"""The collector against its own OpenAPI document: what it allows is accepted, and whatever comes is answered as it says."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream.producers.collector.bodies import Bounds
from clickstream.producers.collector.clients import keys
from clickstream.producers.collector.openapi import document
from tests.property.http.json_schemas import Document
from tests.unit.collector.conftest import Site
from tests.unit.collector.stream import Mood

KEY, ENTRY = keys.generate("openapi", rate=1e9, burst=1e9)
DESCRIBED = Document(json.loads(document(Bounds())))
POST = DESCRIBED.root["paths"]["/v1/events"]["post"]
BODY = POST["requestBody"]["content"]["application/json"]["schema"]
EVENT = DESCRIBED.root["components"]["schemas"]["Event"]
_moods: st.SearchStrategy[Mood] = st.sampled_from(["takes", "takes", "full", "fails", "too large"])


@pytest.fixture(scope="module")
def site() -> Site:
    # no time that the schema allows lies in its future, which a schema cannot tell
    return Site(keys=[ENTRY], peer="203.0.113.9", now_ms=4_102_444_800_000)


def _as_described(answer: Any) -> None:
    described = POST["responses"][str(answer.status_code)]
    schema = described["content"]["application/json"]["schema"]
    assert DESCRIBED.faults(schema, answer.json()) == []
    for name, header in described.get("headers", {}).items():
        assert int(answer.headers[name]) >= header["schema"]["minimum"]


def test_it_is_served(site: Site) -> None:
    assert site.client.get("/openapi.json").json() == DESCRIBED.root


@given(DESCRIBED.values(BODY))
def test_what_it_allows_is_accepted(site: Site, value: Any) -> None:
    site.stream.mood = "takes"
    site.stream.records.clear()
    answer = site.post(value, x_api_key=KEY)
    assert answer.status_code == 200, answer.json()
    _as_described(answer)
    sent = value if isinstance(value, list) else [value]
    said = [each["event_id"] for each in answer.json()["events"]]
    assert said == [given or told for given, told in zip((each.get("event_id") for each in sent), said, strict=True)]
    assert sorted(said) == sorted(taken["event_id"] for taken in site.taken())


@given(
    st.lists(DESCRIBED.values(EVENT) | DESCRIBED.mangled(EVENT), max_size=5) | DESCRIBED.mangled(BODY),
    st.sampled_from(["json", "ndjson", "gzip"]),
    _moods,
)
def test_whatever_comes_is_answered_as_described(site: Site, value: Any, form: str, mood: Mood) -> None:
    site.stream.mood = mood
    site.stream.records.clear()
    body = json.dumps(value).encode()
    headers = {"x_api_key": KEY}
    if form == "ndjson":
        lines = value if isinstance(value, list) else [value]
        body = "\n".join(map(json.dumps, lines)).encode()
        headers["content_type"] = "application/x-ndjson"
    if form == "gzip":
        body = gzip.compress(body)
        headers["content_encoding"] = "gzip"
    answer = site.post(body, **headers)
    _as_described(answer)
    accepted = sorted(each["event_id"] for each in answer.json().get("events", ()) if each["status"] == "accepted")
    assert accepted == sorted(taken["event_id"] for taken in site.taken())


@given(st.text(max_size=40), st.sampled_from(["application/json", "text/plain", ""]), st.sampled_from(["", "br", "gzip"]))
def test_refusals_are_as_described(site: Site, key: str, content_type: str, encoding: str) -> None:
    headers = [(b"x-api-key", key.encode("utf-8", "replace").replace(b"\n", b"").replace(b"\r", b""))]
    headers += [(b"content-type", content_type.encode()), (b"content-encoding", encoding.encode())]
    _as_described(site.client.post("/v1/events", content=b"{}", headers=headers))

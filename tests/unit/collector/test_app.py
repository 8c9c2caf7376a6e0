"""POST /v1/events over a stream in memory: what each sender is told, and what has reached the stream then."""

from __future__ import annotations

import gzip
import json
from ipaddress import ip_network
from typing import Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from clickstream.producers.collector.app import Timeouts
from clickstream.producers.collector.bodies import Bounds
from clickstream.producers.collector.clients import keys
from clickstream.producers.collector.clients.fingerprints import Fingerprints
from tests.unit.collector.conftest import NOW, SECRET, Site, event, purchase

KEY, ENTRY = keys.generate("shop", rate=10, burst=20)
RELAY_KEY, RELAY = keys.generate("backend", relay=True)
GUARDED: dict[str, Any] = {"keys": [ENTRY, RELAY], "peer": "203.0.113.9"}


def statuses(answer: Any) -> list[str]:
    return [each["status"] for each in answer.json()["events"]]


def test_all_accepted(site: Site) -> None:
    answer = site.post([event(event_id="a"), purchase(event_id="b")])
    assert answer.status_code == 200
    assert [(each["event_id"], each["status"]) for each in answer.json()["events"]] == [("a", "accepted"), ("b", "accepted")]
    assert [each["event_id"] for each in site.taken()] == ["a", "b"]
    assert {key for key, _ in site.stream.records} == {"u-1"}


def test_the_answer_says_what_was_set_and_what_was_not_kept(site: Site) -> None:
    site.stream.room = 2
    bare = {"type": "page_view", "user_id": "u-1", "session_id": "s-1", "colour": "red"}
    answer = site.post([event(), bare, bare])
    plain, told, later = answer.json()["events"]
    assert plain == {"event_id": "e-1", "status": "accepted"}
    assert told["not_kept"] == later["not_kept"] == ["$.colour"]
    assert told["assigned"] == {"event_id": told["event_id"], "occurred_at": NOW}
    assert (later["status"], later["assigned"]["event_id"]) == ("retry", later["event_id"])
    site.stream.room = 10
    assert site.taken()[1]["occurred_at"] == NOW


def test_some_accepted_answers_in_order(site: Site) -> None:
    answer = site.post([event(user_id=1), event(event_id="b"), 5])
    assert answer.status_code == 207
    assert statuses(answer) == ["rejected", "accepted", "rejected"]
    assert answer.json()["events"][0]["errors"] == [{"path": "$.user_id", "reason": "Expected `str`, got `int`"}]
    assert len(site.stream.records) == 1


def test_none_accepted(site: Site) -> None:
    answer = site.post(event(user_id=1))
    assert (answer.status_code, statuses(answer), site.stream.records) == (422, ["rejected"], [])


def test_ndjson_and_gzip(site: Site) -> None:
    lines = b"\n".join(json.dumps(event(event_id=name)).encode() for name in "ab") + b"\n{\n"
    answer = site.post(gzip.compress(lines), content_type="application/x-ndjson; charset=utf-8", content_encoding="gzip")
    assert (answer.status_code, statuses(answer)) == (207, ["accepted", "accepted", "rejected"])


def test_an_id_is_a_uuid7_of_the_wall_clock(site: Site) -> None:
    answer = site.post([{name: value for name, value in event().items() if name != "event_id"}])
    (given,) = (each["event_id"] for each in answer.json()["events"])
    assert int(given.replace("-", "")[:12], 16) == 1_764_000_000_000
    assert site.taken()[0]["event_id"] == given


@pytest.mark.parametrize("mood", ["full", "fails", "silent"])
def test_what_is_not_acknowledged_is_for_the_client_to_repeat(site: Site, mood: Any) -> None:
    site.stream.mood = mood
    answer = site.post([event(event_id="a"), event(user_id=1)])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert statuses(answer) == ["retry", "rejected"]
    assert "event_id counts once" in answer.json()["message"]
    assert site.client.get("/readyz").json()["stuck"] == "stream"
    site.stream.mood = "takes"
    assert site.post([event(event_id="a")]).status_code == 200
    assert site.client.get("/readyz").status_code == 200


def test_what_is_not_allowed_is_for_the_client_to_repeat_and_named_to_the_operator(site: Site) -> None:
    site.stream.mood = "forbidden"
    with capture_logs() as lines:
        answers = [site.post(event()) for _ in range(3)]
        site.clock.now += 61
        answers.append(site.post(event()))
    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "2")] * 4
    assert {answer.json()["events"][0]["status"] for answer in answers} == {"retry"}
    errors = [(line["action"], line["resource"]) for line in lines if line["log_level"] == "error"]
    assert errors == [("kinesis:PutRecords", "shop")] * 2, "one line, and one a minute"
    ready = site.client.get("/readyz")
    assert (ready.status_code, ready.json()["reason"]) == (503, "not allowed: kinesis:PutRecords on shop")
    site.stream.mood = "takes"
    assert site.post(event()).status_code == 200
    assert site.client.get("/readyz").status_code == 200


def test_what_every_reader_would_refuse_is_refused_with_its_place(site: Site) -> None:
    tomorrow = event(event_id="e-2", occurred_at=NOW + 86_400_000)
    seconds = event(event_id="e-3", occurred_at=NOW // 1000)
    answer = site.post([event(), tomorrow, seconds, event(event_id="\N{GRINNING FACE}" * 256), event(event_id="a\nb")])
    assert answer.status_code == 207
    told = [each["errors"][0] for each in answer.json()["events"][1:]]
    assert [each["path"] for each in told] == ["$.occurred_at", "$.occurred_at", "$.event_id", "$.event_id"]
    assert told[0]["reason"] == "occurred in the future"
    assert "milliseconds?" in told[1]["reason"]
    assert len(site.stream.records) == 1
    items = [{"product_id": "p" * 256, "category": "c" * 256}] * 500
    large = site.post(purchase(items=items))
    assert large.status_code == 422
    assert "bytes" in large.json()["events"][0]["errors"][0]["reason"]


def test_not_ready_ends_by_itself(site: Site) -> None:
    site.stream.mood = "fails"
    site.post(event())
    assert site.client.get("/readyz").status_code == 503
    site.clock.now += 5.1
    assert site.client.get("/readyz").status_code == 200


def test_a_buffer_that_fills_in_the_middle(site: Site) -> None:
    site.stream.room = 2
    answer = site.post([event(event_id=name) for name in "abcd"])
    assert (answer.status_code, statuses(answer)) == (503, ["accepted", "accepted", "retry", "retry"])


def test_an_event_over_the_record_limit_is_rejected(site: Site) -> None:
    site.stream.mood = "too large"
    answer = site.post(event())
    assert (answer.status_code, statuses(answer)) == (422, ["rejected"])


def test_ip_and_payment_never_reach_the_stream() -> None:
    card, address = "4111111111111111", "203.0.113.9"
    site = Site(**GUARDED)
    answer = site.post(
        purchase(payment_fingerprint=card, card_number=card, context={"ip": "198.51.100.7"}), authorization=f"Bearer {KEY}"
    )
    assert answer.status_code == 200
    (taken,) = site.taken()
    assert taken["payment_fingerprint"] == Fingerprints(SECRET).payment(card)
    assert taken["context"]["ip"] == Fingerprints(SECRET).ip(address)
    (_, data), *_ = site.stream.records
    assert all(secret not in data for secret in (card.encode(), address.encode(), b"198.51.100.7"))


def test_a_relay_speaks_for_its_visitors() -> None:
    site = Site(**GUARDED)
    given = [event(context={"ip": "198.51.100.7"}), event(context={"ip": "::ffff:198.51.100.7"}), event()]
    assert site.post(given, x_api_key=RELAY_KEY).status_code == 200
    visitor, own = (Fingerprints(SECRET).ip(address) for address in ("198.51.100.7", "203.0.113.9"))
    assert [taken["context"]["ip"] for taken in site.taken()] == [visitor, visitor, own]


def test_a_trusted_proxy_tells_the_address() -> None:
    site = Site(**GUARDED | {"trusted": [ip_network("203.0.113.0/24")]})
    site.post(event(), authorization=f"Bearer {KEY}", x_forwarded_for="1.1.1.1, 198.51.100.7")
    assert site.taken()[0]["context"]["ip"] == Fingerprints(SECRET).ip("198.51.100.7")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer no"}, {"authorization": KEY}, {"x_api_key": ENTRY.sha256}])
def test_no_key_no_entry(headers: dict[str, str]) -> None:
    site = Site(**GUARDED)
    answer = site.post(event(), **headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"], site.stream.records) == (401, "Bearer", [])


def test_a_beacon_gives_its_key_in_the_address() -> None:
    site = Site(**GUARDED)
    headers = {"Content-Type": "application/json"}
    assert site.client.post("/v1/events", params={"key": KEY}, content=json.dumps(event()), headers=headers).status_code == 200


def test_without_keys_this_machine_alone_is_served(site: Site) -> None:
    assert Site(peer="203.0.113.9").post(event()).status_code == 403
    assert site.post(event(), host="shop.example").status_code == 403
    assert site.post(event(), x_forwarded_for="127.0.0.1").status_code == 403
    assert site.post(event(), host="[::1]:8081").status_code == 200
    assert len(site.stream.records) == 1


def test_over_the_rate_is_429_until_the_time_it_says() -> None:
    site = Site(**GUARDED)
    many = [event(event_id=f"e-{n}") for n in range(20)]
    assert site.post(many, x_api_key=KEY).status_code == 200
    answer = site.post(many, x_api_key=KEY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    site.clock.now += 0.5
    answer = site.post(many, x_api_key=KEY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert len(site.stream.records) == 20
    site.clock.now += 1.5
    assert site.post(many, x_api_key=KEY).status_code == 200
    assert site.post(event(), x_api_key=RELAY_KEY).status_code == 200, "each key has its own"


def test_broken_bodies_count_too() -> None:
    site = Site(**GUARDED)
    assert [site.post(b"[", x_api_key=KEY).status_code for _ in range(21)] == [400] * 20 + [429]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": ""}, 415),
        ({"content_encoding": "br"}, 415),
        ({"content_encoding": "gzip"}, 400),
    ],
)
def test_types_and_encodings(site: Site, headers: dict[str, str], status: int) -> None:
    assert site.post(event(), **headers).status_code == status


def test_sizes() -> None:
    site = Site(bounds=Bounds(body_bytes=1_000, inflated_bytes=2_000, events=3))
    assert site.post(b" " * 1_001).status_code == 413
    assert site.post(gzip.compress(b" " * 2_001), content_encoding="gzip").status_code == 413
    assert site.post([1, 2, 3, 4]).status_code == 413
    chunks = (b" " * 600 for _ in range(2))
    streamed = site.client.post("/v1/events", content=chunks, headers={"Content-Type": "application/json"})
    assert streamed.status_code == 413, "without a Content-Length too"


def test_memory_of_requests_is_bounded() -> None:
    site = Site(memory=1_200)
    answer = site.post(b" " * 1_201)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert site.post(purchase()).status_code == 503, "an event counts also while Kinesis is waited for"
    assert site.post(b"[1]").status_code == 422, "what others held is given back"


def test_other_paths_and_methods_are_json_errors(site: Site) -> None:
    assert site.client.get("/v1/events").json()["error"] == "Method Not Allowed"
    assert site.client.get("/nothing").status_code == 404
    assert site.client.get("/healthz").json() == {"status": "ok"}


def test_cors_knows_its_origins() -> None:
    client: TestClient = Site(origins=["https://shop.example"]).client
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    allowed = client.options("/v1/events", headers={"Origin": "https://shop.example", **asked})
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, "https://shop.example")
    refused = client.options("/v1/events", headers={"Origin": "https://other.example", **asked})
    assert refused.status_code == 400
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_draining_is_not_ready(site: Site) -> None:
    site.app.state.drain()
    assert site.client.get("/readyz").json()["stuck"] == "collector"
    assert site.client.get("/healthz").status_code == 200


def test_the_snippet_is_served(site: Site) -> None:
    answer = site.client.get("/clickstream.js")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "sendBeacon" in answer.text
    assert len(answer.content) < 6_500  # every page of the shop loads it


def test_acknowledgement_has_a_deadline() -> None:
    site = Site(timeouts=Timeouts(acknowledgement=0.05))
    site.stream.mood = "silent"
    assert site.post(event()).status_code == 503

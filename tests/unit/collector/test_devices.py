"""Kinds of devices from the headers that real browsers send."""

from __future__ import annotations

import pytest

from clickstream.events import Context, PageView
from clickstream.producers.collector.clients.devices import kind, named

MOZILLA = "Mozilla/5.0 "


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (
            MOZILLA + "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",
            "desktop",
        ),
        (MOZILLA + "(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.1 Safari/605.1.15", "desktop"),
        (MOZILLA + "(X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "desktop"),
        (MOZILLA + "(iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1", "phone"),
        (MOZILLA + "(Linux; Android 10; K) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36", "phone"),
        (MOZILLA + "(Linux; Android 14; SM-X910) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36", "tablet"),
        (MOZILLA + "(iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1", "tablet"),
        (MOZILLA + "(compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        (MOZILLA + "(Linux; Android 6.0.1; Nexus 5X) Chrome/131.0 Mobile Safari/537.36 (compatible; Googlebot/2.1)", "bot"),
        ("curl/8.5.0", "other"),
        ("", None),
    ],
)
def test_kinds(user_agent: str, expected: str | None) -> None:
    assert kind(user_agent) == expected


def test_an_event_that_names_its_own_kind_keeps_it() -> None:
    event = PageView(event_id="e", user_id="u", session_id="s", occurred_at=1, url="/")
    assert named(event, "phone").context == Context(device_kind="phone")
    assert named(named(event, "tablet"), "phone").context == Context(device_kind="tablet")
    assert named(event, None) is event

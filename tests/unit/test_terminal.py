"""Times as people type them; and whatever an event holds, a terminal gets printable text, and JSON is the same JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream.errors import UserMistake
from clickstream.terminal import length, parse_moment, shown

NOW_MS = 1_795_564_800_000

ANY_TEXT = st.text(st.characters(), max_size=30) | st.text(st.sampled_from("a\x1b[2J\x07\n\r\x7f\x9b\u202e\ud800\U000e0001\\"))


@given(ANY_TEXT)
def test_all_that_is_shown_can_be_printed(text: str) -> None:
    assert shown(text).isprintable()
    shown(text).encode()


@given(ANY_TEXT)
def test_json_is_the_same_json(text: str) -> None:
    written = json.dumps({text: [text]}, ensure_ascii=False)
    assert json.loads(shown(written)) == {text: [text]}


def test_plain_text_stays_as_it_is() -> None:
    assert shown("naïve 字 \N{GRINNING FACE} \\u001b") == "naïve 字 \N{GRINNING FACE} \\u001b"


def test_an_escape_sequence_is_told_and_not_obeyed() -> None:
    assert shown("a\x1b[2J\x9b\n\U000e0001") == r"a\u001b[2J\u009b\u000a\udb40\udc01"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW_MS),
        ("90s ago", NOW_MS - 90_000),
        ("2h ago", NOW_MS - 7_200_000),
        ("30m", NOW_MS - 1_800_000),
        ("1 d ago", NOW_MS - 86_400_000),
        ("2026-11-25", NOW_MS),
        ("2026-11-25T00:00Z", NOW_MS),
        ("2026-11-25T01:00:00+01:00", NOW_MS),
        ("2026-11-25 00:00:00.250", NOW_MS + 250),
        (str(NOW_MS), NOW_MS),
    ],
)
def test_times_as_people_type_them(text: str, expected: int) -> None:
    assert parse_moment(text, NOW_MS) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2h later", "2026-13-01", "-5m"])
def test_what_is_no_time_gets_a_hint(text: str) -> None:
    with pytest.raises(UserMistake) as mistake:
        parse_moment(text, NOW_MS)
    assert "ISO 8601" in mistake.value.hint


@pytest.mark.parametrize(
    "text",
    ["9999999d", "99999999999999", "20261130", "1795564800", "2100-01-01T00:01Z", "1969-12-31", "0001-01-01"],
)
def test_a_time_that_cannot_be_meant_is_refused_with_the_bounds(text: str) -> None:
    with pytest.raises(UserMistake, match="not a time") as mistake:
        parse_moment(text, NOW_MS)
    assert "milliseconds since the epoch" in mistake.value.hint
    assert mistake.value.hint.startswith("seconds? ") == (text == "1795564800")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "120 min"), (9_000, "2 hours"), (2**35 / 1000, "398 days")],
)
def test_a_length_is_told_in_the_unit_in_which_it_is_two(seconds: float, told: str) -> None:
    assert length(seconds) == told

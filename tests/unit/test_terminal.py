"""Whatever an event holds, a terminal gets printable text, and JSON is the same JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from clickstream.terminal import shown

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

"""The platform's side and pandas cut a file into the same sessions, whatever it holds."""

from __future__ import annotations

import io
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.load.replay import formats
from clickstream.load.replay.formats import Fault, Line
from clickstream.load.verdict import frames

_T0 = 1_511_658_000
#: (user, minutes after the line before, behavior), with some lines that are none
_LINES = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 40), st.sampled_from(["pv", "cart", "fav", "buy", "", "PV"])), max_size=60
)


@settings(deadline=None)
@given(lines=_LINES, cut=st.integers(0, 30))
def test_both_readings_of_any_taobao_file_agree(lines: list[tuple[int, int, str]], cut: int) -> None:
    at = _T0
    text = ""
    for n, (user, minutes, behavior) in enumerate(lines):
        at += 60 * minutes
        text += f"{user},{n % 7},{n % 3},{behavior},{at}\n"
    content = text.encode()[: len(text) - cut] if cut < len(text) else text.encode()

    entries = list(formats.read(io.BytesIO(content), formats.FORMATS["taobao"]()))
    frame = frames.from_taobao(io.BytesIO(content))

    events = [entry.event for entry in entries if isinstance(entry, Line)]
    assert [(event.user_id, event.occurred_at, type(event).__struct_config__.tag) for event in events] == list(
        zip(frame["user"], frame["at"], frame["type"], strict=True)
    )
    ours, theirs = defaultdict(list), defaultdict(list)
    for n, (event, session) in enumerate(zip(events, frame["session"], strict=True)):
        ours[event.session_id].append(n)
        theirs[session].append(n)
    assert sorted(ours.values()) == sorted(theirs.values())
    assert len(events) + sum(isinstance(entry, Fault) for entry in entries) == content.count(b"\n") + (
        not content.endswith(b"\n") and bool(content)
    )

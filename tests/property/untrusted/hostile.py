"""Hypothesis strategies of the descriptions by which ``clickstream load run --profile hostile`` makes its records."""

from __future__ import annotations

from functools import cache

import msgspec
from hypothesis import strategies as st

from clickstream.events import AnyEvent
from clickstream.load.traffic import bounds
from clickstream.load.traffic.bounds import Case

NOW = 1_796_000_000_000
#: Text that somebody's parser, terminal, page, path or key could take for something else.
alphabet = st.one_of(
    st.sampled_from(
        [*"\0\n\r\t\x1b\x07\x7f\x85\"'\\`<>&;#/%{}$.: ", "\u2028", "\u202e", "\u0301", "\U0001f600", "ﷺ", "İ", "ß"]
    ),
    st.characters(codec="utf-8"),
)
texts = st.text(alphabet, max_size=80)
ids = st.text(alphabet, min_size=1, max_size=80)


@cache
def cases() -> tuple[Case, ...]:
    return tuple(bounds.cases("h"))


within = st.sampled_from([case for case in cases() if not case.path])
beyond = st.sampled_from([case for case in cases() if case.path])


@st.composite
def documents(draw: st.DrawFn, drawn: st.SearchStrategy[Case] = within) -> dict[str, object]:
    """A case's document under a name of few, so that ids, users and orders come again under other content and other users."""
    case, names = draw(drawn), st.sampled_from(["a", "b", "c"])
    fields = bounds.laid_over(case, draw(names), NOW - draw(st.integers(0, 10**7)))
    return fields if "user_id" in case.fields else fields | {"user_id": f"u-{draw(names)}"}


events: st.SearchStrategy[AnyEvent] = documents().map(lambda fields: msgspec.convert(fields, AnyEvent))
lines: st.SearchStrategy[bytes] = st.one_of(
    documents().map(bounds.encoded),
    documents(beyond).map(bounds.encoded),
    st.sampled_from(bounds.RUBBISH),
    st.binary(max_size=99),
)

"""What ``scoring.c`` answers is what ``scoring.py`` says an answer is."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clickstream.models.recommender import clicks, compiled
from clickstream.models.recommender.clicks import Click
from clickstream.models.recommender.index import build
from clickstream.models.recommender.parameters import Parameters
from clickstream.models.recommender.queries import are_queries, query_item
from clickstream.models.recommender.scoring import NONE_OF_THEM, Neighbourhood, Own, Scorer

#: X and Y are searches, which are never recommended.
ITEMS = "abcdefghijXY"
SESSIONS = st.lists(st.text(ITEMS, min_size=1, max_size=8), min_size=1, max_size=12)


def grouped(sessions: list[str]) -> clicks.Clicks:
    """Every item first, so that two of these number the items alike."""
    return clicks.group(
        Click(f"s{number:03d}", item if item.islower() else str(query_item(item)), number * 1000 + place)
        for number, session in enumerate([ITEMS, *sessions])
        for place, item in enumerate(session)
    )


def test_it_is_compiled() -> None:
    assert compiled.AVAILABLE, (
        "no C compiler when clickstream was installed? `make setup` compiles models/recommender/scoring.c"
    )


@given(
    SESSIONS,
    st.none() | SESSIONS,
    st.lists(
        st.tuples(st.integers(0, len(ITEMS) - 1), st.sampled_from([0.5, 1.0, 2.0])), max_size=5, unique_by=lambda own: own[0]
    ),
    st.integers(1, 15),
    st.sampled_from([NONE_OF_THEM, 0, 1]),
    st.sampled_from([2, 300]),
    st.sampled_from([3, 50]),
)
def test_compiled_answers_are_the_defined_ones(
    trained: list[str],
    live: list[str] | None,
    own: list[tuple[int, float]],
    count: int,
    apart: int,
    neighbours: int,
    second_sources: int,
) -> None:
    parameters = msgspec.structs.replace(
        Parameters(), neighbours=neighbours, second_sources=second_sources, window=5, recent_sessions=4, session_length=6
    )
    worlds = [grouped(sessions) for sessions in (trained, live) if sessions is not None]
    scorer = Scorer(
        [Neighbourhood(build(world, parameters), parameters) for world in worlds], parameters, are_queries(worlds[0].vocabulary)
    )
    session = Own([item for item, _ in own], [weight for _, weight in own])
    for _ in range(2):  # the second finds the working space as the first left it
        answer, defined = scorer.recommend(session, count, apart), scorer.defined(session, count, apart)
        for got, said in zip(answer, defined, strict=True):
            assert np.array_equal(got, said)

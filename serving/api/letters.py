"""``GET /v1/letters``: the dead letters that wait, by their cause, for the API and the page Letters."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request

from clickstream.consumers.dead_letters.views import Letter, Look
from clickstream.errors import UserMistake
from clickstream.serving.api.coalescing import Remembered
from clickstream.serving.api.operation import Moment, Operation, Sheet, count, text
from clickstream.serving.moments import iso


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Letters of the same kind, reason and path."""

    cause: str
    kind: str
    reason: str
    path: str
    example: Annotated[str, Meta(description="the id of its latest letter")]
    letters: int
    applications: Annotated[dict[str, int], Meta(description="letters by application: each keeps its own")]
    first: Moment
    last: Moment


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """``next``, asked as ``before``, answers the letters behind these; null: there are none."""

    visible: Annotated[int, Meta(description="about how many wait")]
    hidden: Annotated[int, Meta(description="about how many a reader has in its hands, such as a redrive")]
    seen: Annotated[int, Meta(description="how many were looked at, about 1,000 at most: causes and letters are of these")]
    causes: Annotated[list[Cause], Meta(description="that with the most letters first")]
    letters: Annotated[list[Letter], Meta(description="the latest first; kind: record, effect (of a store), or bug")]
    next: str | None = None


def _causes(look: Look) -> list[Cause]:
    alike: dict[str, list[Letter]] = {}
    for each in look.letters:
        alike.setdefault(each.cause, []).append(each)
    return [
        Cause(
            cause=cause,
            **{name: getattr(same[0], name) for name in ("kind", "reason", "path")},
            example=same[0].id,
            letters=len(same),
            applications=Counter(each.application for each in same),
            first=same[-1].arrived_at,
            last=same[0].arrived_at,
        )
        for cause, same in sorted(alike.items(), key=lambda each: -len(each[1]))
    ]


async def _read(looks: Remembered[Look], _: Request, *, count: int, cause: str | None, before: str | None) -> Letters:
    at, _sign, last = (before or "9" * 15).partition("~")
    if not (at.isascii() and at.isdigit() and len(at) < 16):
        raise UserMistake("no answer had this `next`", hint="`before` is the `next` of an earlier answer")
    look = await looks.value()
    chosen = [each for each in look.letters if cause in (None, each.cause) and (each.arrived_at, each.id) < (int(at), last)]
    page = chosen[:count]
    return Letters(
        visible=look.visible,
        hidden=look.hidden,
        seen=len(look.letters),
        causes=_causes(look),
        letters=page,
        next=f"{page[-1].arrived_at}~{page[-1].id}" if len(chosen) > count else None,
    )


def _rows(answer: Letters) -> Iterator[list[object]]:
    yield [*Letter.__struct_fields__]
    yield from ([*(msgspec.structs.asdict(each) | {"arrived_at": iso(each.arrived_at)}).values()] for each in answer.letters)


LETTERS = Operation(
    "/v1/letters",
    "Dead letters that wait, by their cause; they stay where they are",
    "letters",
    Letters,
    _read,
    (
        count("count", 25, 1_000, "at most so many letters"),
        text("cause", "only the letters of this cause"),
        text("before", "`next` of an earlier answer: what lies behind it"),
    ),
    Sheet("letters", _rows),
)

"""``GET /v1/letters``: the dead letters that wait, as one look into their queue sees them. The page Letters groups them."""

from collections.abc import Iterator

import msgspec

from clickstream.consumers.dead_letters.views import Letter, Look
from clickstream.serving.api.coalescing import Remembered
from clickstream.serving.api.operation import Operation, Sheet
from clickstream.serving.moments import iso


async def _read(looks: Remembered[Look], _: object) -> Look:
    return await looks.value()


def _rows(look: Look) -> Iterator[list[object]]:
    yield [*Letter.__struct_fields__]
    yield from ([*(msgspec.structs.asdict(each) | {"arrived_at": iso(each.arrived_at)}).values()] for each in look.letters)


LETTERS = Operation(
    "/v1/letters", "Dead letters that wait; they stay where they are", "letters", Look, _read, sheet=Sheet("letters", _rows)
)

"""The page Pipeline: every application on every shard. It is read whether or not a page is open: readiness depends on it."""

import msgspec

from clickstream.serving.api.progress import Application, Shard, applications, shard
from clickstream.serving.pages.picture import Draw, Head
from clickstream.serving.progress import Reading


class Shown(msgspec.Struct, frozen=True):
    head: Head
    rate: list[tuple[int, float]] = []
    applications: list[Application] = []
    shards: list[Shard] = []


class Pipeline:
    """See ``clickstream.serving.pages.picture.Picture``."""

    blank = Shown

    def read(self, seen: Reading) -> Draw:
        summed = applications(seen.rows, seen.speeds)

        def draw(head: Head) -> Shown:
            # the rows' ages grow while the store does not answer
            shards = [shard(row, seen.speeds.get((row.application, row.shard)), head.now) for row in seen.rows]
            return Shown(head, seen.rate, summed, shards)

        return draw

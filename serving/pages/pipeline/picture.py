"""The page Pipeline: every application on every shard. It is read whether or not a page is open: readiness depends on it."""

import msgspec

from clickstream.serving.api.progress import Application, Shard, applications, shards
from clickstream.serving.progress import Reading


class Shown(msgspec.Struct, frozen=True):
    """The shards' ages are of when they were read."""

    rate: list[tuple[int, float]]
    applications: list[Application]
    shards: list[Shard]


class Pipeline:
    """See ``clickstream.serving.pages.live.Picture``."""

    applications = ()

    def read(self, seen: Reading) -> Shown:
        read = shards(seen.rows, seen.speeds, seen.read_at)
        return Shown(seen.rate, applications(seen.rows, read), read)

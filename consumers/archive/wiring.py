"""The archive, as the consumer runtime runs it."""

from clickstream.application import Wiring
from clickstream.consumers.archive import NAME
from clickstream.consumers.archive.fold import ArchiveFold
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.consumers.archive.sink import ArchiveBucket

APPLICATION = Wiring(
    NAME, lambda _: ArchiveFold(), lambda shard_id, clients, settings: ArchiveBucket(clients.s3, ARCHIVE.of(settings), shard_id)
)

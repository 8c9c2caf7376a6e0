"""The archive, as the consumer runtime runs it."""

from clickstream.application import Sink, Wiring
from clickstream.aws import Clients
from clickstream.consumers.archive import NAME
from clickstream.consumers.archive.fold import ArchiveFold
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.consumers.archive.sink import ArchiveBucket
from clickstream.settings import Settings


def _open_sink(shard_id: str, clients: Clients, settings: Settings) -> Sink:
    return ArchiveBucket(clients.s3, ARCHIVE.of(settings), shard_id)


APPLICATION = Wiring(NAME, lambda _: ArchiveFold(), _open_sink)

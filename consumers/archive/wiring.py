"""The archive, as the consumer runtime runs it."""

from clickstream.aws import Clients
from clickstream.settings import Settings
from consumers.archive import NAME
from consumers.archive.fold import ArchiveFold
from consumers.archive.needs import ARCHIVE
from consumers.archive.sink import ArchiveBucket
from consumers.runtime.application import Sink, Wiring


def _open_sink(shard_id: str, clients: Clients, settings: Settings) -> Sink:
    return ArchiveBucket(clients.s3, ARCHIVE.of(settings), shard_id)


APPLICATION = Wiring(NAME, lambda _: ArchiveFold(), _open_sink)

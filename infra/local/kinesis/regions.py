"""One model per region, as in AWS: a stream of one region is not found in another."""

from __future__ import annotations

import msgspec

from clickstream.infra.local.kinesis.model.faults import Faults
from clickstream.infra.local.kinesis.model.journal import Journal, NullJournal
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.settings import ModelSettings
from clickstream.infra.local.kinesis.model.streams import Stream


class Regions:
    """The models by region, each made at the first call for its region. All share one set of faults."""

    def __init__(self, settings: ModelSettings, journal: Journal | None = None) -> None:
        self.settings = settings
        self._models: dict[str, Kinesis] = {}
        self._journal = journal or NullJournal()
        self.faults = Faults(settings.seed)

    def kinesis(self, region: str) -> Kinesis:
        """The model of a region."""
        model = self._models.get(region)
        if model is None:
            settings = msgspec.structs.replace(self.settings, region=region)
            model = self._models[region] = Kinesis(settings, self._journal, self.faults)
        return model

    def streams(self) -> list[Stream]:
        """All streams of all regions, in whatever state."""
        return [stream for model in self._models.values() for stream in model.streams.values()]

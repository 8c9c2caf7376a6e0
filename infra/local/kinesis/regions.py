"""One Kinesis per region, as AWS has it: a stream of one region is not found in another."""

from __future__ import annotations

import msgspec

from infra.local.kinesis.faults import Faults
from infra.local.kinesis.model import Kinesis, ModelSettings
from infra.local.kinesis.registry import Journal, NullJournal
from infra.local.kinesis.streams import Stream

DEFAULT_REGION = "us-east-1"


class Regions:
    """The models by region, made at the first call for a region. All share one set of faults."""

    def __init__(self, settings: ModelSettings, journal: Journal | None = None) -> None:
        self.settings = settings
        self._models: dict[str, Kinesis] = {}
        self.journal = journal or NullJournal()
        self.faults = Faults(settings.seed)

    def kinesis(self, region: str) -> Kinesis:
        """The model of a region."""
        model = self._models.get(region)
        if model is None:
            model = Kinesis(msgspec.structs.replace(self.settings, region=region), self.journal)
            model.faults = self.faults
            self._models[region] = model
        return model

    def streams(self) -> list[Stream]:
        """All streams of all regions, in whatever state."""
        return [stream for model in self._models.values() for stream in model.streams.values()]

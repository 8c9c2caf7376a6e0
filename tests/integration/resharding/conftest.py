"""A platform of four shards for each test, on the session's embedded AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickstream.aws import Clients
from clickstream.infra.local import resources
from clickstream.settings import Settings
from tests.integration.resharding.platform import Platform


@pytest.fixture
def platform(settings: Settings, tmp_path: Path) -> Platform:
    """Four shards, the tables, the queue and the bucket; no worker yet."""
    resources.create(Clients(settings), settings, shards=4)
    return Platform(settings, tmp_path)

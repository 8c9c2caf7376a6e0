"""The fraud application on two shards of the session's embedded AWS, for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickstream.infra.local import resources
from clickstream.settings import Settings
from tests.integration.fraud.application import Fraud
from tests.integration.resharding.platform import Platform


@pytest.fixture
def fraud(settings: Settings, tmp_path: Path) -> Fraud:
    platform = Platform(settings, tmp_path)
    resources.create(platform.clients, settings, shards=2)
    return Fraud(platform)

"""A shop per test, and models that tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.models.fraud.purchases import PURCHASES
from tests.unit.fraud import shop as shops


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        made = Clients(shops.SETTINGS)
        shops.create(made)
        yield made


@pytest.fixture
def shop(clients: Clients) -> shops.Shop:
    return shops.Shop(clients)


@pytest.fixture(scope="session")
def good() -> dict[str, bytes]:
    """A version's files."""
    return shops.files_of(PURCHASES, seed=1)

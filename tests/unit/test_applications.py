"""Which applications there are: found, and nowhere listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickstream.consumers.needs import applications, declared
from clickstream.errors import UserMistake
from tests import sixth


def test_every_package_that_declares_itself_is_an_application() -> None:
    assert list(applications()) == ["archive", "analytics", "fraud", "orders", "recommendations"]
    assert [needs.name for needs in declared()] == ["analytics", "fraud", "recommendations", "archive", "orders"]


def test_a_package_elsewhere_is_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sixth.write(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(tmp_path)
    assert list(applications()) == ["archive", "analytics", sixth.NAME, "fraud", "orders", "recommendations"]


@pytest.mark.parametrize(
    ("packages", "told"),
    [("no.such.package", "no.such.package is no application"), ("clickstream.consumers.fraud", "the same name")],
)
def test_a_package_that_is_no_new_application_is_a_mistake(packages: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKSTREAM_APPLICATIONS", packages)
    with pytest.raises(UserMistake, match=told):
        applications()

"""Which applications there are: the packages of ``consumers`` with a module ``needs``, and ``CLICKSTREAM_APPLICATIONS``."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from clickstream import consumers
from clickstream.errors import UserMistake
from clickstream.needs import Needs, Table
from clickstream.settings import application_packages

if TYPE_CHECKING:
    from clickstream.answers.declared import Application

#: As KCL 3 asks for it; not read while lease assignment is pinned to KCL 2's way.
OWNER_INDEX = "LeaseOwnerToLeaseKeyIndex"


def applications() -> dict[str, Needs]:
    """What each application needs, by name. Raises UserMistake for a package that is none."""
    return _found(application_packages())


def declared() -> list[Needs]:
    """The same, those that `clickstream up` starts unasked first."""
    return sorted(applications().values(), key=lambda needs: not needs.starts_with_up)


def short_applications() -> dict[str, Application]:
    """The declarations of those that are declared by their answers, by name."""
    return {name: import_module(needs.wiring).APPLICATION for name, needs in applications().items() if needs.own}


def lease_tables(application: str) -> tuple[Table, Table, Table]:
    """KCL 3's tables of an application: leases, coordination, the workers' metrics.

    Given the name under which KCL knows the application, the suffixes are the tables' whole names.
    """
    title = application.capitalize()
    return (
        Table(application, f"{title}Leases", key="leaseKey", index=(OWNER_INDEX, "leaseOwner", "leaseKey")),
        Table(f"{application}-CoordinatorState", f"{title}Coordinator", key="key"),
        Table(f"{application}-WorkerMetricStats", f"{title}WorkerMetrics", key="wid"),
    )


@cache
def _found(elsewhere: tuple[str, ...]) -> dict[str, Needs]:
    here = [f"{consumers.__name__}.{each.name}" for each in iter_modules(consumers.__path__) if each.ispkg]
    found = [_needs(package) for package in here if find_spec(f"{package}.needs")]
    for package in elsewhere:
        try:
            found.append(_needs(package))
        except ImportError as error:
            raise UserMistake(
                f"CLICKSTREAM_APPLICATIONS: {package} is no application: {error}", hint="a package with a module `needs`"
            ) from error
    named = {needs.name: needs for needs in sorted(found, key=lambda needs: (needs.rank, needs.name))}
    if len(named) < len(found):
        raise UserMistake("CLICKSTREAM_APPLICATIONS: two applications have the same name", hint=", ".join(elsewhere))
    return named


def _needs(package: str) -> Needs:
    needs: Needs = import_module(f"{package}.needs").NEEDS
    return needs

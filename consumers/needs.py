"""Which applications there are: the packages of ``consumers`` with a module ``needs``, and ``CLICKSTREAM_APPLICATIONS``."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

import consumers
from clickstream.errors import UserMistake
from clickstream.needs import Needs, Table
from clickstream.settings import application_packages

#: As KCL 3 asks for it; not read while lease assignment is pinned to KCL 2's way.
OWNER_INDEX = "LeaseOwnerToLeaseKeyIndex"


def applications() -> dict[str, Needs]:
    """By name, in the order of every list of them."""
    return _found(application_packages())


def declared() -> list[Needs]:
    """What each application needs; those that `clickstream up` starts unasked come first."""
    return sorted(applications().values(), key=lambda needs: not needs.starts_with_up)


def lease_tables(application: str) -> tuple[Table, Table, Table]:
    """KCL 3's tables of an application: leases, coordination, the workers' metrics.

    ``application`` is its name in a deployment's resources, or, for whole names as suffixes, what KCL calls it.
    """
    title = application.capitalize()
    return (
        Table(application, f"{title}Leases", key="leaseKey", index=(OWNER_INDEX, "leaseOwner", "leaseKey")),
        Table(f"{application}-CoordinatorState", f"{title}Coordinator", key="key"),
        Table(f"{application}-WorkerMetricStats", f"{title}WorkerMetrics", key="wid"),
    )


@cache
def _found(elsewhere: tuple[str, ...]) -> dict[str, Needs]:
    here = [f"consumers.{each.name}" for each in iter_modules(consumers.__path__) if each.ispkg]
    found = [_needs(package) for package in here if find_spec(f"{package}.needs")]
    for package in elsewhere:
        try:
            found.append(_needs(package))
        except ImportError as error:
            raise UserMistake(
                f"CLICKSTREAM_APPLICATIONS: {package} is no application: {error}", hint="a package with a module `needs`"
            ) from error
    return {needs.name: needs for needs in sorted(found, key=lambda needs: (needs.rank, needs.name))}


def _needs(package: str) -> Needs:
    needs: Needs = import_module(f"{package}.needs").NEEDS
    return needs

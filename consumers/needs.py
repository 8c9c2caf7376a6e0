"""Which applications there are: the packages of ``consumers`` with a module ``needs``, and the modules that a shop names.

A shop names its modules in ``CLICKSTREAM_APPLICATIONS``, or as entry points of the group ``clickstream.applications``. A module
M declares its application as ``M.needs:NEEDS``, ``M:NEEDS`` or ``M:APPLICATION.needs``: the first that is there.
"""

from __future__ import annotations

import sys
import traceback
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import msgspec

import clickstream
from clickstream import consumers, platform
from clickstream.errors import Missing, UserMistake
from clickstream.needs import Needs, Resource, Table, check_name
from clickstream.settings import application_modules, name_application

if TYPE_CHECKING:
    from clickstream.answers.declared import Application

#: As KCL 3 asks for it; not read while lease assignment is pinned to KCL 2's way.
OWNER_INDEX = "LeaseOwnerToLeaseKeyIndex"


def applications() -> dict[str, Needs]:
    """What each application needs, by name. Raises UserMistake for a module that declares none."""
    return _found(_modules())


def how_many() -> int:
    """Of ours and a shop's, whose modules are counted and not imported: their bugs do not stop our workers."""
    return len(built_in()) + len(_modules())


def declared() -> list[Needs]:
    """The same, those that `clickstream up` starts unasked first."""
    return sorted(applications().values(), key=lambda needs: not needs.starts_with_up)


def short_applications() -> dict[str, Application]:
    """The declarations of those that are declared by their answers, by name."""
    return {name: import_module(needs.wiring).APPLICATION for name, needs in applications().items() if needs.own}


@cache
def built_in() -> dict[str, Needs]:
    """Ours alone."""
    here = [f"{consumers.__name__}.{each.name}" for each in iter_modules(consumers.__path__) if each.ispkg]
    found: list[Needs] = [import_module(f"{package}.needs").NEEDS for package in here if find_spec(f"{package}.needs")]
    return {needs.name: needs for needs in found}


def known(name: str) -> Needs | None:
    """The application of this name. For one of ours nothing of a shop's is imported: its bugs do not stop our workers."""
    return built_in().get(name) or applications().get(name)


def find(application: str) -> Needs:
    """By its name, or by its module's path: then it is named to the processes that this one starts, too.

    Raises Missing when there is neither, UserMistake for a module that is there and declares no application.
    """
    if (needs := known(application)) is not None:
        return needs
    try:
        needs = _declaration(application)
    except Missing as error:
        hint = f"{', '.join(sorted(applications()))}, or the path of a module that declares one"
        raise Missing(f"{application!r} is not an application: {error}", hint=hint) from error
    name_application(application)
    return applications()[needs.name]


def lease_tables(application: str) -> tuple[Table, Table, Table]:
    """KCL 3's tables of an application: leases, coordination, the workers' metrics.

    Given the name under which KCL knows the application, the suffixes are the tables' whole names.
    """
    title = Resource(application).title
    return (
        Table(application, f"{title}Leases", key="leaseKey", index=(OWNER_INDEX, "leaseOwner", "leaseKey")),
        Table(f"{application}-CoordinatorState", f"{title}Coordinator", key="key"),
        Table(f"{application}-WorkerMetricStats", f"{title}WorkerMetrics", key="wid"),
    )


def _modules() -> tuple[str, ...]:
    """Of a shop's applications: those that are named, then those that are installed."""
    installed = (each.module for each in entry_points(group="clickstream.applications"))
    return tuple(dict.fromkeys((*application_modules(), *installed)))


@cache
def _found(modules: tuple[str, ...]) -> dict[str, Needs]:
    found = list(built_in().values())
    taken = {each.arn + each.suffix for each in (*platform.TABLES, *platform.BUCKETS, *platform.QUEUES)}
    taken = taken.union(*map(_names, found))
    for module in modules:
        needs = _declaration(module)
        if both := taken & _names(needs):
            raise UserMistake(f"{module}: {min(both)} is there already", hint="give it another name")
        found.append(needs)
        taken |= _names(needs)
    return {needs.name: needs for needs in sorted(found, key=lambda needs: (needs.rank, needs.name))}


def _names(needs: Needs) -> set[str]:
    """What no other application may be or have."""
    resources = (*needs.tables, *needs.buckets, *needs.topics, *needs.queues, *lease_tables(needs.name))
    return {f"application {needs.name}", *(each.arn + each.suffix for each in resources)}


@cache
def _declaration(module: str) -> Needs:
    """What a shop's module declares. It is looked for in the current folder too, but last: nothing there hides a library."""
    if not all(map(str.isidentifier, module.split("."))):
        raise Missing(f"{module} is the path of no module", hint="like package.module, without .py")
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.append(str(Path.cwd()))
    try:
        found = import_module(module)
        if hasattr(found, "__path__") and find_spec(f"{module}.needs"):
            found = import_module(f"{module}.needs")
        needs = getattr(found, "NEEDS", None)
        if needs is None and isinstance(needs := getattr(getattr(found, "APPLICATION", None), "needs", None), Needs):
            needs = msgspec.structs.replace(needs, wiring=module)  # where it is found: a factory elsewhere may have made it
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            raise Missing(f"there is no module {error.name}") from error
        hint = error.hint if isinstance(error, UserMistake) else "the application's own code failed when it was imported"
        raise UserMistake(f"{module}: {type(error).__name__}: {error} ({_place(error)})", hint=hint) from error
    if not isinstance(needs, Needs):
        raise UserMistake(
            f"{module} declares no application", hint="a submodule `needs` with NEEDS, or NEEDS or APPLICATION in it"
        )
    check_name(needs.name)
    return needs


def _place(error: BaseException) -> str:
    """The file and the line of the shop's that failed, not of what it called."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [each for each in frames if not each.filename.startswith(("<frozen", str(Path(clickstream.__file__).parent)))]
    return f"{theirs[-1].filename}:{theirs[-1].lineno}" if theirs else "not in its own code"

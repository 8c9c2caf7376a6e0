"""``python sbom.py VENV``: the software bill of materials of a virtual environment, as CycloneDX 1.6 on stdout.

It reads what is installed, not what was asked for: every distribution with its files' own record, and every jar with its
SHA-256. Runs inside an image's build, so it imports the standard library alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

_JAR = re.compile(r"(?P<name>.+?)-(?P<version>\d[^/]*)\.jar")


def bill(environment: Path) -> dict[str, Any]:
    """The document; the same environment gives the same text."""
    (packages,) = environment.glob("lib/python*/site-packages")
    components = [_package(found) for found in distributions(path=[str(packages)])]
    components += [_jar(path) for path in packages.rglob("*.jar")]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "clickstream"}},
        "components": sorted(components, key=lambda component: component["purl"]),
    }


def _package(found: Distribution) -> dict[str, Any]:
    name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
    record = found.read_text("RECORD") or ""
    component: dict[str, Any] = {
        "type": "library",
        "name": name,
        "version": found.version,
        "purl": f"pkg:pypi/{name}@{found.version}",
        # RECORD lists the digest of every file that was installed
        "properties": [{"name": "record:sha256", "value": hashlib.sha256(record.encode()).hexdigest()}],
    }
    if licence := found.metadata.get("License-Expression"):
        component["licenses"] = [{"expression": licence}]
    return component


def _jar(path: Path) -> dict[str, Any]:
    named = _JAR.fullmatch(path.name)
    name, version = (named["name"], named["version"]) if named else (path.stem, "")
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:generic/{name}@{version}?file_name={path.name}",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
    }


if __name__ == "__main__":
    json.dump(bill(Path(sys.argv[1])), sys.stdout, indent=1)
    sys.stdout.write("\n")

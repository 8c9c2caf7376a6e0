"""Java for the peers: the KPL's jars, fetched by Maven once and kept in ``build/``, and our few sources, compiled for each run.

KCL's jars are those of the installed amazon_kclpy. Nothing here is needed to use the platform or to test it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import amazon_kclpy

from clickstream.load.benchmarks.harness.measure import Unavailable

KCL_JARS = Path(amazon_kclpy.__file__).parent / "jars"
KPL_VERSION = "1.0.7"
QUIET_LOGBACK = Path(__file__).with_name("quiet-logback.xml")
_POM = Path(__file__).with_name("kpl-pom.xml")
_BUILD = Path(__file__).parents[4] / "build"
_FETCH_S = 600.0


def kpl_jars() -> Path:
    """The folder of the KPL's jars. Raises Unavailable when they were never fetched and cannot be."""
    folder = _BUILD / f"kpl-{KPL_VERSION}"
    if not folder.exists():
        _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable(f"KPL {KPL_VERSION}: there is no Maven (mvn) to fetch its jars with")
    _BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_BUILD) as scratch:
        command = [maven, "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies", f"-DoutputDirectory={scratch}/jars"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_FETCH_S)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"KPL {KPL_VERSION}: Maven did not end within {_FETCH_S:.0f} s") from error
        if done.returncode:
            said = next((line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line), "nothing")
            raise Unavailable(f"KPL {KPL_VERSION}: Maven could not fetch its jars, and says: {said}")
        # whole or not at all
        Path(scratch, "jars").rename(folder)


def compiled(sources: Sequence[Path], jars: Path, into: Path) -> str:
    """The class path of these sources, compiled against a folder of jars. Raises Unavailable without a compiler."""
    if shutil.which("javac") is None:
        raise Unavailable("there is no Java compiler (javac)")
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["javac", "-XDsuppressNotes", "-cp", f"{jars}/*", "-d", into, *sources], check=True)
    return f"{into}:{jars}/*"

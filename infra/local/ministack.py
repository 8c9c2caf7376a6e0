"""ministack, which serves every AWS service but Kinesis on this machine, in an environment of its own.

It pins a botocore that is not ours, so it cannot live in the project's environment; the ``uv`` that the project depends on
builds one for it from a hash-pinned requirements file, once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from clickstream.errors import UserMistake
from clickstream.infra.local.processes import Heartbeat
from clickstream.settings import child_environment

REQUIREMENTS = Path(__file__).with_name("ministack-requirements.txt")
_LAUNCHER = Path(__file__).with_name("gate") / "launch.py"
HEALTH = "/_ministack/ready"
_LOOK_SECONDS = 0.1


def install(home: Path, say: Callable[[str], None], requested: Event | None = None) -> Path:
    """The Python of ministack's environment under ``home``, built when it is missing or of other requirements.

    Two processes may ask at once: the second waits for the first's result. Raises UserMistake when the packages cannot be
    fetched, KeyboardInterrupt when ``requested`` is set meanwhile.
    """
    environment = home / "ministack"
    python = environment / "bin" / "python"
    stamp = environment / "requirements.sha256"
    wanted = _fingerprint()
    with locked(home / "ministack.lock"):
        if python.exists() and stamp.exists() and stamp.read_text() == wanted:
            return python
        say("installing ministack, the embedded AWS, for the first start (about a minute)")
        beat = Heartbeat(say)
        from_file = ("--require-hashes", "--python", str(python), "--requirements", str(REQUIREMENTS))
        try:
            _uv(beat, requested, "venv", "--clear", "--python", sys.executable, str(environment))
            _uv(beat, requested, "pip", "install", *from_file)
        except KeyboardInterrupt:
            say("interrupted")
            raise
        stamp.write_text(wanted)
    return python


def command(python: Path, policies: Path | None = None) -> list[str]:
    """With a file of policies (clickstream.infra.local.roles): behind the gate, which refuses what AWS refuses."""
    if policies is None:
        return [str(python), "-I", "-m", "ministack"]
    return [str(python), "-I", str(_LAUNCHER), str(policies)]


def environment(port: int, scratch: Path, state: Path | None, region: str) -> dict[str, str]:
    """ministack's environment variables: loopback only.

    ``scratch`` is its own temporary directory, since it leaves the code of local Lambda functions there; what is stored
    outlives the process in ``state``, if that is given: tables and objects any end of it, the rest an orderly one.
    """
    kept = (
        {}
        if state is None
        else {
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state / "ministack"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state / "s3"),
        }
    )
    return child_environment(
        {
            "BIND_HOST": "127.0.0.1",
            # without it a second socket listens on all interfaces
            "IOT_MTLS_ENABLED": "0",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": region,
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(scratch),
            **kept,
        }
    )


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock that ends with the process, however it ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fingerprint() -> str:
    """Of what the environment is made from: the requirements and the interpreter."""
    return hashlib.sha256(f"{sys.version}\n{REQUIREMENTS.read_text()}".encode()).hexdigest()


def _uv(beat: Heartbeat, requested: Event | None, *arguments: str) -> None:
    import uv

    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            [uv.find_uv_bin(), *arguments, "--quiet"],
            env=child_environment({"UV_COMPILE_BYTECODE": "1"}),
            stdout=said,
            stderr=said,
        ) as running,
    ):
        while running.poll() is None:
            if requested is not None and requested.is_set():
                running.terminate()
                running.wait()
                break
            beat("still installing")
            time.sleep(_LOOK_SECONDS)
        # a terminal's Ctrl-C reaches it too, and may do so first
        if running.returncode < 0 or (requested is not None and requested.is_set()):
            raise KeyboardInterrupt
        if running.returncode:
            said.seek(0)
            lines = [line.strip() for line in said if line.strip()] or [f"exit code {running.returncode}"]
            raise UserMistake(
                f"ministack's environment could not be built: {lines[-1]}",
                hint="the first start fetches packages from PyPI: is the network there, or its mirror or proxy named?",
            )

"""The embedded AWS: ministack for every service but Kinesis, our embedded Kinesis for that; on loopback only.

Two ways to have it: :func:`local_aws` for a program or a test (it ends with the ``with`` block, or with the process), and
:func:`start`, :func:`stop`, :func:`status` for ``clickstream local`` (it stays until it is stopped).
"""

from __future__ import annotations

import errno
import http.client
import random
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Protocol

import msgspec

from clickstream.errors import UserMistake
from clickstream.infra.local import ministack, roles
from clickstream.infra.local.gate.controls import Controls
from clickstream.infra.local.processes import Children, Died, Process, end, start_detached, wait_until
from clickstream.settings import Settings, from_env

HOST = "127.0.0.1"
#: The administrator's: of whoever makes resources, and of tests that look. Programs sign with the keys of infra.local.roles.
#: (Every key belongs to the same account, unless it is a number of twelve digits: that is an account of its own.)
CREDENTIALS = ("test", "test")
START_SECONDS = 60.0
STOP_SECONDS = 15.0
#: Below what systems give to outgoing connections and to servers without a wish: a port of those could be gone again between
#: :func:`claim` and the server that is to have it.
_CLAIMABLE = range(20_000, 32_000)
_TRIES = 100


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """TCP ports on loopback; 0 takes a free one."""

    aws: int = 4566
    kinesis: int = 4567


FREE = Ports(aws=0, kinesis=0)


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """A running embedded AWS."""

    directory: Path
    """Logs and scratch files."""
    ports: Ports
    region: str
    processes: tuple[Process, ...]
    limits: bool = False
    """Whether its Kinesis enforces the limits of a shard."""

    @property
    def settings(self) -> Settings:
        """Settings for a program in this process that uses it; resource names and paths are the surrounding ones."""
        return msgspec.structs.replace(
            from_env(),
            region=self.region,
            profile=None,
            endpoint_url=f"http://{HOST}:{self.ports.aws}",
            endpoint_urls={"kinesis": f"http://{HOST}:{self.ports.kinesis}"},
            credentials=CREDENTIALS,
            pollers=0 if self.limits else 1,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a child process (boto3, Java, the AWS CLI) to it; see settings.child_environment."""
        return {
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self.ports.aws}",
            "AWS_ENDPOINT_URL_KINESIS": f"http://{HOST}:{self.ports.kinesis}",
            "AWS_REGION": self.region,
            # the one of both that boto3 reads
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": CREDENTIALS[0],
            "AWS_SECRET_ACCESS_KEY": CREDENTIALS[1],
            # without it a client that finds no credentials asks the network for them, and waits
            "AWS_EC2_METADATA_DISABLED": "true",
            # without limits there is nothing to share: each polls as if it were alone
            **({} if self.limits else {"CLICKSTREAM_POLLERS": "1"}),
        }

    @property
    def policies(self) -> Path:
        """What its servers let each role do."""
        return _policies(self.directory)

    @property
    def controls(self) -> Controls:
        """Injects and ends faults (clickstream.infra.local.gate.faults)."""
        return Controls((f"http://{HOST}:{self.ports.aws}", f"http://{HOST}:{self.ports.kinesis}"))

    def answers(self) -> bool:
        """Whether every server of it is healthy."""
        return answers(self.ports.aws, ministack.HEALTH) and answers(self.ports.kinesis, "/health")


def quiet(_: str) -> None:
    """The default for progress reports: nobody is told."""


class Spawn(Protocol):
    """Starts one server process; what its parent's end means to it is the spawner's matter."""

    def __call__(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> Process: ...


@contextmanager
def local_aws(
    directory: Path,
    *,
    ports: Ports = FREE,
    state: Path | None = None,
    home: Path | None = None,
    limits: bool = False,
    say: Callable[[str], None] = quiet,
) -> Iterator[Stack]:
    """The embedded AWS for the length of a ``with`` block, empty unless ``state`` holds what an earlier one kept.

    Its servers get SIGTERM when the thread that entered the block ends, so also when this process is killed. ``directory``
    takes logs and scratch files, ``home`` (default: settings.local_dir) ministack's environment. Raises UserMistake when a
    port is taken, Died or NotReady when a server does not come up.
    """
    try:
        with Children(grace=STOP_SECONDS) as children:
            yield launch(children, directory, ports=ports, state=state, home=home, limits=limits, say=say)
    finally:
        remove_scratch(directory)


def launch(
    children: Children,
    directory: Path,
    *,
    ports: Ports,
    state: Path | None = None,
    home: Path | None = None,
    limits: bool = False,
    say: Callable[[str], None] = quiet,
    requested: Event | None = None,
) -> Stack:
    """As :func:`local_aws`, for a program that has more children and an order to end them in.

    Raises KeyboardInterrupt when ``requested`` is set during the first set-up.
    """
    around = from_env()
    python = ministack.install((home or around.local_dir).absolute(), say, requested)
    return _bring_up(children.start, children.check, python, directory.absolute(), ports, state, around.region, limits)


def start(
    directory: Path,
    *,
    region: str,
    ports: Ports,
    state: Path | None = None,
    limits: bool = False,
    say: Callable[[str], None] = quiet,
) -> Stack:
    """The embedded AWS that ``clickstream local`` keeps in ``directory`` (settings.local_dir); the running one if there is one.

    Raises UserMistake when a port is taken, Died or NotReady when a server does not come up.
    """
    directory = directory.absolute()
    python = ministack.install(directory, say)
    with ministack.locked(directory / "stack.lock"):
        if (running := status(directory)) is not None:
            say("already running")
            return running
        _end_recorded(directory)
        started: list[Process] = []

        def detach(name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> Process:
            started.append(start_detached(name, command, environment=environment, log=log))
            return started[-1]

        def check() -> None:
            for process in started:
                if not process.is_running():
                    raise Died(process)

        try:
            stack = _bring_up(detach, check, python, directory, ports, state, region, limits)
            _record(directory).write_bytes(msgspec.json.encode(stack, enc_hook=str))
        except BaseException:
            # whatever interrupted the start, nothing may be left that no record tells of
            end(started, time.monotonic() + STOP_SECONDS)
            raise
        return stack


def status(directory: Path) -> Stack | None:
    """The stack that :func:`start` left in this directory, if every server of it runs and answers."""
    stack = _recorded(directory)
    if stack is None or not all(process.is_running() for process in stack.processes) or not stack.answers():
        return None
    return stack


def stop(directory: Path) -> list[Process]:
    """End what :func:`start` started from this directory, and nothing else; returns what was running."""
    with ministack.locked(directory / "stack.lock"):
        return _end_recorded(directory)


def answers(port: int, path: str) -> bool:
    """Whether GET http://127.0.0.1:port/path says 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def claim(*wanted: tuple[int, str]) -> list[int]:
    """Check that these (port, the option that names it) are free, or find free ones for 0; raises UserMistake.

    All are held at once, so that no port is found twice, and let go on return for the servers to take.
    """
    with ExitStack() as held:
        return [_bind(held.enter_context(socket.socket()), port, option) for port, option in wanted]


def _bind(probe: socket.socket, port: int, option: str) -> int:
    if not port:
        return _bind_any(probe)
    # as the servers do: a port whose last connections linger in TIME_WAIT is not taken
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise UserMistake(
            f"port {port} is taken", hint=f"choose another with {option}, or end what holds it (`clickstream local stop`?)"
        ) from error
    return port


def _bind_any(probe: socket.socket) -> int:
    """A free port of :data:`_CLAIMABLE`; without SO_REUSEADDR, under which two probes may hold the same one."""
    for port in random.SystemRandom().sample(_CLAIMABLE, _TRIES):
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return port
    raise UserMistake("no free port was found", hint="name the ports, or end what holds so many")


def _bring_up(
    spawn: Spawn,
    check: Callable[[], None],
    python: Path,
    directory: Path,
    ports: Ports,
    state: Path | None,
    region: str,
    limits: bool,
) -> Stack:
    aws_port, kinesis_port = claim((ports.aws, "--port"), (ports.kinesis, "--kinesis-port"))
    scratch = _scratch(directory)
    scratch.mkdir(parents=True, exist_ok=True)
    environment = ministack.environment(aws_port, scratch, state, region)
    policies = _policies(directory)
    policies.write_text(roles.policies())
    kinesis = [
        sys.executable,
        "-P",
        "-m",
        "clickstream.infra.local.kinesis",
        "--port",
        str(kinesis_port),
        "--policies",
        str(policies),
    ]
    if state is not None:
        kinesis += ["--state", str(state.absolute() / "kinesis")]
    if limits:
        kinesis += ["--limits"]
    logs = directory / "logs"
    stack = Stack(
        directory=directory,
        ports=Ports(aws=aws_port, kinesis=kinesis_port),
        region=region,
        limits=limits,
        processes=(
            spawn("ministack", ministack.command(python, policies), environment=environment, log=logs / "ministack.log"),
            spawn("kinesis", kinesis, environment=environment, log=logs / "kinesis.log"),
        ),
    )
    wait_until(stack.answers, "the embedded AWS", time.monotonic() + START_SECONDS, check=check)
    return stack


def _policies(directory: Path) -> Path:
    return _scratch(directory) / "policies.json"


def _scratch(directory: Path) -> Path:
    return directory.absolute() / "scratch"


def remove_scratch(directory: Path) -> None:
    """Delete what ministack leaves behind: the code of its local Lambda functions."""
    shutil.rmtree(_scratch(directory), ignore_errors=True)


def _record(directory: Path) -> Path:
    return directory / "stack.json"


def _recorded(directory: Path) -> Stack | None:
    try:
        return msgspec.json.decode(_record(directory).read_bytes(), type=Stack, dec_hook=lambda kind, value: kind(value))
    except (FileNotFoundError, msgspec.MsgspecError):
        return None  # never started here, or a record half written by a start that was killed


def _end_recorded(directory: Path) -> list[Process]:
    stack = _recorded(directory)
    running = [process for process in stack.processes if process.is_running()] if stack is not None else []
    end(running, time.monotonic() + STOP_SECONDS)
    _record(directory).unlink(missing_ok=True)
    remove_scratch(directory)
    return running

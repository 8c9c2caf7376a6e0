"""Where the drills happen: the embedded AWS, a proxy before each of its services, workers of each application under its own
role, and one continuous load."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.events import AnyEvent, Purchase
from clickstream.infra.local import resources, roles, stack
from clickstream.infra.local.processes import Children, Process, tethered, wait_until
from clickstream.settings import Settings, environment
from tests.integration.drills.rig import clocks
from tests.integration.drills.rig.proxy import Proxy
from tests.integration.drills.rig.shards import Shards
from tests.integration.drills.rig.workers import Worker

WORKERS = {"analytics": 2, "fraud": 2, "recommendations": 1, "orders": 1, "archive": 1}
"""How many of each application: as many as two cores bear."""
APPLICATIONS = tuple(WORKERS)
#: The load's access key. Every permission is its own, since it looks at the answers too, but it can be named in a refusal.
PRODUCER = "producer"
SERVICES = ("dynamodb", "s3", "sqs", "sns", "kinesis")
#: Seven JVMs on two busy cores.
_START_S = 180.0


class Site:
    """Everything that a fault may touch."""

    def __init__(
        self,
        aws: stack.Stack,
        settings: Settings,
        proxies: dict[str, Proxy],
        folder: Path,
        seed: int,
        applications: Sequence[str],
        refusals_s: tuple[float, float],
    ) -> None:
        self.settings = settings
        """Past the proxies, with the administrator's key: for looking."""
        self.clients = Clients(settings)
        self.controls = aws.controls
        """Refusals on demand; ``who`` is ``roles.access_key(settings.name, "*")`` for all workers and never for the load."""
        self.proxies = proxies
        self.folder = folder
        self.applications = applications
        self.shards = Shards(applications, settings)
        self.poison: list[tuple[str, bytes]] = []
        """Partition key and data of every record that the drills themselves put and that is no event."""
        self.extra: list[AnyEvent] = []
        """Every event that they put, once."""
        self.records_put = 0
        """Records that they put, repetitions included."""
        self.never_taken: list[tuple[str, Purchase]] = []
        """An application, and the purchase of which a store never takes its effect."""
        self.refusals_s = refusals_s
        """A permission or a key is away at least and at most so long."""
        self.ended_by_refusal: list[str] = []
        """Processes that ended while something was only not allowed."""
        self.restarts_of_dead = 0
        """Workers that had ended by themselves and were started again, as an orchestrator would."""
        through = {service: proxy.url for service, proxy in proxies.items()}
        at_work = msgspec.structs.replace(settings, endpoint_urls=through)
        compiled = clocks.library(folder)
        self.workers = [
            Worker(
                application,
                name,
                environment(roles.under(at_work, application)),
                folder / f"{application}-{name}.log",
                None if compiled is None else clocks.Clock(compiled, folder / f"{application}-{name}.clock"),
            )
            for application in applications
            for name in map(str, range(1, WORKERS[application] + 1))
        ]
        self._aws = aws
        self._kinesis = next(process for process in aws.processes if process.name == "kinesis")
        self._servers = Children()
        self._seed = seed
        self._load: subprocess.Popen[bytes] | None = None
        self._denied: set[str] = set()

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.json"

    def start_load(self, rate: float) -> None:
        """One continuous load until :meth:`stop_load`, past the proxies, with client retries, late and malformed records."""
        command = ["load", "run", "--rate", str(rate), "--duration", "14400", "--max-records", "5000000", "--json"]
        command += ["--seed", str(self._seed), "--ledger", str(self.ledger)]
        with (self.folder / "load.log").open("ab") as log:
            self._load = subprocess.Popen(
                tethered([sys.executable, "-m", "clickstream.cli", *command]),
                env=environment(msgspec.structs.replace(self.settings, credentials=(PRODUCER, "test"))),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def has_partner(self, worker: Worker) -> bool:
        """Whether another worker of its application runs that would take its shards."""
        return any(each is not worker and each.application == worker.application and each.is_running for each in self.workers)

    def running(self) -> set[str]:
        """The lasting processes of all workers: a shard's own process comes and goes with its lease."""
        return {
            f"{worker.name} {part} {pid}"
            for worker in self.workers
            if worker.is_running
            for parts in (worker.parts(),)
            for part, pid in (("supervisor", parts.supervisor), ("JVM", parts.jvm), ("zygote", parts.zygote))
            if pid is not None
        }

    def check(self) -> None:
        """The load must not end by itself; raises AssertionError."""
        assert self._load is None or self._load.poll() is None, f"the load ended: {(self.folder / 'load.log').read_text()}"

    def stop_load(self) -> None:
        """Let the load finish what it has begun and write its ledger."""
        assert self._load is not None
        self._load.send_signal(signal.SIGINT)
        code = self._load.wait(_START_S)
        self._load = None
        assert code == 130, f"the load failed ({code}): {(self.folder / 'load.log').read_text()}"

    def wait_until_staffed(self, timeout_s: float = 45.0) -> bool:
        """Whether each worker came to have a shard; one that has ended by itself is started again meanwhile."""
        deadline = time.monotonic() + timeout_s
        while True:
            for worker in self.workers:
                if not worker.is_running:
                    self.restarts_of_dead += 1
                    worker.start()
            if all(worker.parts().shards for worker in self.workers):
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)

    def inject(self, *faults: dict[str, Any]) -> None:
        """Put faults of the embedded Kinesis in force; none: end them all."""
        request = urllib.request.Request(
            f"{self.settings.endpoint('kinesis')}/_clickstream/faults",
            data=json.dumps(faults).encode() if faults else None,
            method="POST" if faults else "DELETE",
        )
        with urllib.request.urlopen(request, timeout=10):
            return

    def denied(self) -> set[str]:
        """What no policy allowed so far, see :meth:`Controls.denied`."""
        self._denied |= set(self.controls.denied(self.settings.name))
        return self._denied

    def kill_kinesis(self) -> None:
        self.denied()  # which its memory holds
        os.kill(self._kinesis.pid, signal.SIGKILL)
        deadline = time.monotonic() + _START_S
        wait_until(lambda: not self._kinesis.is_running(), "the end of Kinesis", deadline, check=self.check)

    def start_kinesis(self) -> None:
        """On the same port, with what it had stored."""
        port = self._aws.ports.kinesis
        command = [
            "-m",
            "clickstream.infra.local.kinesis",
            "--port",
            str(port),
            "--state",
            str(self.folder / "state" / "kinesis"),
        ]
        command += ["--policies", str(self._aws.policies)]
        self._kinesis = self._servers.start(
            "kinesis", [sys.executable, *command], environment=None, log=self.folder / f"kinesis-{time.time_ns()}.log"
        )
        deadline = time.monotonic() + _START_S
        wait_until(lambda: stack.answers(port, "/health"), "Kinesis again", deadline, check=self._check_kinesis)

    def _check_kinesis(self) -> None:
        assert self._kinesis.is_running(), self._kinesis.last_words()

    def processes(self) -> list[Process]:
        return [*self._aws.processes, self._kinesis]

    def close(self) -> None:
        if self._load is not None:
            self._load.kill()
            self._load.wait()
        for worker in self.workers:
            worker.kill()
        self._servers.stop(time.monotonic() + stack.STOP_SECONDS)


@contextmanager
def opened(
    folder: Path,
    *,
    home: Path,
    shards: int = 4,
    rate: float = 200.0,
    seed: int = 1,
    applications: Sequence[str] = APPLICATIONS,
    refusals_s: tuple[float, float] = (20, 90),
) -> Iterator[Site]:
    """A site with everything running and every shard moving. ``home`` holds ministack's environment."""
    shutil.rmtree(folder / "state", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stacked:
        aws = stacked.enter_context(stack.local_aws(folder, state=folder / "state", home=home))
        settings = msgspec.structs.replace(aws.settings, local_dir=folder)
        clients = Clients(settings)
        resources.create(clients, settings, shards=shards)
        for application in applications:
            resources.create_lease_tables(clients, settings, application)
        ports = dict.fromkeys(SERVICES, aws.ports.aws) | {"kinesis": aws.ports.kinesis}
        proxies = {service: stacked.enter_context(Proxy(port)) for service, port in ports.items()}
        site = Site(aws, settings, proxies, folder, seed, applications, refusals_s)
        stacked.callback(site.close)
        for worker in site.workers:
            worker.start()
        site.start_load(rate)
        began = time.time_ns() // 1_000_000
        site.shards.wait_until_moving(began, timeout_s=_START_S)
        assert site.wait_until_staffed(_START_S), "a worker never came to have a shard"
        yield site

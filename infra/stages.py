"""What differs between the stages, as values. The stacks take them as arguments, and never ask which stage they are in."""

from __future__ import annotations

import msgspec

from clickstream.settings import Settings

#: What KCL and the JVM may take from SIGTERM to the end is 40 s (clickstream.consumers.runtime.worker.daemon); a test compares.
STOP_TIMEOUT_S = 60


class StreamPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The stream's capacity and memory."""

    shards: int | None = None
    """Provisioned shards; None is on-demand, which reshards by itself and costs per byte."""
    retention_hours: int = 72
    """Longer than any outage that shall lose nothing: a weekend."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """One ECS service's tasks."""

    cpu: int = 512
    """Of 1024 a virtual CPU."""
    memory_mib: int = 2048
    least: int = 2
    most: int = 8


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What one API key of the gateway may do."""

    rate: float = 200.0
    """Requests a second; a request carries up to 500 events."""
    burst: int = 400
    per_day: int = 5_000_000


class Writes(msgspec.Struct, frozen=True, kw_only=True):
    """Write units a second that a table has by the hour, between these, four fifths used: 0.23 dollars per million in place
    of 0.625. For traffic that rises slowly: a table grows by a quarter in some two minutes, for which its worker waits."""

    least: int
    most: int


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateway finds the collector and the read API without a VPC link: base URLs."""

    collector: str
    serving: str


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment of everything."""

    name: str
    settings: Settings = Settings()
    """Names of all resources; the code that runs there has the same, from ``CLICKSTREAM_NAME``."""
    stream: StreamPlan = StreamPlan()
    worker: Size = Size()
    overrides: dict[str, Size] = {}
    """Application → its own size."""
    fanout: frozenset[str] = frozenset()
    """Applications that get what is written pushed, at a price (docs/reference/growth.md); the others poll in turns."""
    collector: Size = Size(cpu=1024)
    serving: Size = Size(memory_mib=1024)
    traffic: Traffic = Traffic()
    writes: dict[str, Writes] = {}
    """Table's suffix → what it has by the hour; all others are paid by request."""
    nat_gateways: int = 1
    keeps_data: bool = True
    """Whether what is stored outlives the stack, and cannot be deleted by mistake."""
    autoscales: bool = False
    """Whether shards are split and merged without asking; else the advice is only logged. Not for on-demand streams."""
    lag_s: int = 60
    """How far behind an application may be before somebody is told."""
    upstream: Upstream | None = None
    """None: the services run in the VPC, behind a VPC link."""

    def size(self, application: str) -> Size:
        return self.overrides.get(application, self.worker)


STAGING = Stage(
    name="staging",
    settings=Settings(name="clickstream-staging"),
    stream=StreamPlan(shards=2, retention_hours=24),
    autoscales=True,
    worker=Size(cpu=256, memory_mib=1024, least=1, most=2),
    collector=Size(cpu=256, memory_mib=512, least=1, most=2),
    serving=Size(cpu=256, memory_mib=512, least=1, most=2),
    traffic=Traffic(rate=20.0, burst=40, per_day=100_000),
    keeps_data=False,
    lag_s=300,
)

PRODUCTION = Stage(
    name="production",
    overrides={"fraud": Size(cpu=1024, memory_mib=4096, least=2, most=16)},  # a purchase waits for its decision
    nat_gateways=2,
)

STAGES: dict[str, Stage] = {stage.name: stage for stage in (STAGING, PRODUCTION)}


def local(settings: Settings, upstream: Upstream) -> Stage:
    """What the embedded AWS can take: the gateway calls programs on this machine, and nothing outlives the stack."""
    return Stage(
        name="local", settings=settings, stream=StreamPlan(shards=2, retention_hours=24), keeps_data=False, upstream=upstream
    )

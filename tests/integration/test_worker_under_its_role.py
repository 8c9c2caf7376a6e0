"""A real KCL worker under its role: a permission that is taken away stops what needs it, loses nothing, and comes back.

Both the JVM and the shards' processes sign with the role's key; see docs/local-aws.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clickstream.aws import Clients
from clickstream.settings import Settings, environment
from consumers.runtime import progress
from infra.local import roles, stack
from infra.local.gate.faults import Fault
from load.plan import Plan
from tests.integration.drills.workers import Worker

pytestmark = [pytest.mark.integration, pytest.mark.java]

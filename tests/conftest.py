"""What every tier shares: an environment that leads to no real AWS, the real data sets, and one embedded AWS per session."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.infra.local import resources, stack
from clickstream.settings import Settings, from_env

ROOT = Path(__file__).parent.parent
_OURS = ("CLICKSTREAM_DATASETS", "CLICKSTREAM_LOCAL_DIR")

# A shell starts what it puts in the background with Ctrl-C ignored, and every child would inherit that: the commands that tests
# interrupt would never hear it. A handler of our own, unlike "ignore", does not survive into a child.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """No AWS or platform variable of the developer's shell reaches a test, and no test finds real credentials."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "CLICKSTREAM_")) and name not in (*_OURS, "AWS_CA_BUNDLE"):
                patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        # many tests wait for commits while traffic goes on; those that do what people do set the 20 s that people have
        patch.setenv("CLICKSTREAM_COMMIT_S", "1")
        yield


@pytest.fixture(scope="session")
def datasets(clean_environment: None) -> Path:
    """The folder of real data (CLICKSTREAM_DATASETS)."""
    folder = from_env().datasets
    if not folder.is_dir():
        pytest.skip(f"no data sets at {folder} (CLICKSTREAM_DATASETS names the folder)")
    return folder


@pytest.fixture(scope="session")
def local_aws(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    """The embedded AWS, one for the whole session: tests keep apart by their names (see ``settings``)."""
    with stack.local_aws(tmp_path_factory.mktemp("aws")) as running:
        yield running


@pytest.fixture
def settings(local_aws: stack.Stack) -> Settings:
    """Settings for the embedded AWS with a name of this test's own, without any resource yet."""
    return msgspec.structs.replace(local_aws.settings, name=f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def provisioned(settings: Settings) -> Settings:
    """``settings`` with a stream of 2 shards, the tables, the queue and the bucket."""
    resources.create(Clients(settings), settings, shards=2)
    return settings

"""The zygote of a broken analytics: ``python -m tests.integration.broken.zygote VARIANT DIRECTORY``."""

from __future__ import annotations

import sys

from clickstream.application import Application
from clickstream.consumers.runtime.worker import child, zygote
from tests.integration.broken.folds import VARIANTS, Broken


def main(variant: str, directory: str) -> int:
    def load(name: str) -> Application:
        return Broken(VARIANTS[variant])

    child.load_application = load
    return zygote.main(["analytics", directory])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

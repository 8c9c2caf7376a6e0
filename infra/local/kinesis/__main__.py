"""``python -m infra.local.kinesis --port N``."""

import sys

from infra.local.kinesis.server import main

sys.exit(main())

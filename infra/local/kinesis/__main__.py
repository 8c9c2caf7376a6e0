"""``python -m clickstream.infra.local.kinesis --port N``."""

import sys

from clickstream.infra.local.kinesis.server import main

sys.exit(main())

"""The event types of this folder, declared before anything imports clickstream."""

import os
from pathlib import Path

os.environ.setdefault("CLICKSTREAM_EVENTS", str(Path(__file__).parent / "stock_events"))

"""The events of this project; clickstream finds them by the entry point in pyproject.toml."""

from pathlib import Path

EVENTS = Path(__file__).parent

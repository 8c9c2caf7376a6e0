"""Fleets of workers on virtual time. What stands on this package too, `clickstream.testing`, needs the same extra."""

from importlib.util import find_spec

from clickstream.errors import Missing

for _name in ("greenlet", "hypothesis"):
    if find_spec(_name) is None:
        # no hint, for who imports it sees none
        raise Missing(f"{_name} is not installed: pip install 'clickstream[testing]'")

"""How soon the dashboard shows the first aggregates."""

from __future__ import annotations

import http.client
import json
import threading
import time

import click

_LOOK_S = 0.25


class FirstAggregates(threading.Thread):
    """Looks at the page's own data until it shows events, and says how long after ``since`` (monotonic) that was."""

    def __init__(self, port: int, since: float) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._since = since

    def run(self) -> None:
        if _shows_events(self._port):
            return  # those of a run whose state was kept: the load begins later
        while not _shows_events(self._port):
            time.sleep(_LOOK_S)
        click.echo(f"first aggregates after {time.monotonic() - self._since:.1f} s (from the workers' start)", err=True)


def _shows_events(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v1/aggregates?granularity=minute")
        answer = connection.getresponse()
        body = answer.read()
        return answer.status == http.HTTPStatus.OK and bool(json.loads(body)["windows"])
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

"""A message as one POST to a shop's own server: within bounded time, and only to the URL that was set."""

import socket
import ssl
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import h11

from clickstream.errors import Forbidden, RetryLater, Throttled, Unwritable

#: For each of: connecting, sending, and the answer's status line.
TIMEOUT_S = 10.0
#: After a failure nobody is sent there for so long: what waits behind it shall not wait for one timeout each.
REST_S = 1.0
#: A token or a route: it would refuse all others too.
_FOR_ALL = frozenset({401, 403, 404, 405, 407, 410})


class Webhook:
    """A :data:`clickstream.answers.outbox.Deliver`. Thread-safe. The URL may be a secret: no error tells it."""

    def __init__(
        self, name: str, url: str, *, timeout_s: float = TIMEOUT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._timeout_s, self._clock = name, timeout_s, clock
        self._url = urlsplit(url)
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None
        self._rests_until = 0.0

    def __call__(self, id: str, key: str, document: bytes) -> None:
        """Raises RetryLater, Forbidden or Unwritable: all but a 2xx."""
        if self._clock() < self._rests_until:
            raise RetryLater(f"webhook {self._name}: has just failed")
        try:
            self._judge(self._post(key, document))
        except RetryLater:
            self._rests_until = self._clock() + REST_S
            raise

    def _judge(self, status: int) -> None:
        line = f"webhook {self._name}: answered {status}"
        if status == 429:
            raise Throttled(line)
        if status in (408, 409, 425) or status >= 500:  # 409: the same key is at work there
            raise RetryLater(line)
        if status >= 400 and status not in _FOR_ALL:
            raise Unwritable(line)
        if status >= 300:  # a redirection is not followed: the URL is to be corrected
            raise Forbidden(line, action="webhook:POST", resource=self._name)

    def _post(self, key: str, document: bytes) -> int:
        url = self._url
        headers = [
            ("Host", url.netloc.rpartition("@")[2]),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(document))),
            ("Idempotency-Key", f'"{key}"'),
            ("Connection", "close"),
        ]
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        request = (h11.Request(method="POST", target=target, headers=headers), h11.Data(data=document), h11.EndOfMessage())
        http = h11.Connection(h11.CLIENT)
        try:
            with self._connected() as connection:
                connection.sendall(b"".join(http.send(part) or b"" for part in request))
                until = self._clock() + self._timeout_s
                while not isinstance(event := http.next_event(), h11.Response):
                    if event is h11.NEED_DATA:
                        if (left := until - self._clock()) <= 0:
                            raise TimeoutError
                        connection.settimeout(left)
                        http.receive_data(connection.recv(65_536))
                return event.status_code
        except (OSError, h11.RemoteProtocolError) as error:
            raise RetryLater(f"webhook {self._name}: {type(error).__name__}") from error

    def _connected(self) -> socket.socket:
        host, port = self._url.hostname or "", self._url.port or (443 if self._tls else 80)
        plain = socket.create_connection((host, port), timeout=self._timeout_s)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=host)

"""A message as one POST to a shop's own server: within bounded time, and only to the URL that was set."""

import socket
import ssl
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import h11

from clickstream.errors import Forbidden, RetryLater, Throttled, Unwritable

#: From the first byte to the answer's status line.
TIMEOUT_S = 10.0
#: After a failure nobody is sent there for so long: what waits behind it shall not wait for one timeout each.
REST_S = 1.0


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
        match status:
            case _ if 200 <= status < 300:
                return
            case 429:
                raise Throttled(line)
            case _ if status in (408, 409, 425) or status >= 500:  # 409: the same key is at work there
                raise RetryLater(line)
            case 401 | 403 | 404 | 405 | 407 | 410:
                pass  # a token or a route: it would refuse all others too
            case _ if status >= 400:
                raise Unwritable(line)
        # a redirection is not followed: the URL is to be corrected
        raise Forbidden(line, action="webhook:POST", resource=self._name)

    def _post(self, key: str, document: bytes) -> int:
        url = self._url
        until = self._clock() + self._timeout_s
        headers = [
            ("Host", url.netloc.rpartition("@")[2]),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(document))),
            ("Idempotency-Key", f'"{key}"'),
            ("Connection", "close"),
        ]
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        http = h11.Connection(h11.CLIENT)
        request = http.send(h11.Request(method="POST", target=target, headers=headers)) or b""
        request += (http.send(h11.Data(data=document)) or b"") + (http.send(h11.EndOfMessage()) or b"")
        try:
            with self._connected() as connection:
                connection.settimeout(self._left_s(until))
                connection.sendall(request)
                while not isinstance(event := http.next_event(), h11.Response):
                    if event is h11.NEED_DATA:
                        connection.settimeout(self._left_s(until))
                        http.receive_data(connection.recv(65_536))
                return event.status_code
        except (OSError, h11.RemoteProtocolError) as error:
            raise RetryLater(f"webhook {self._name}: {type(error).__name__}") from error

    def _connected(self) -> socket.socket:
        host, port = self._url.hostname or "", self._url.port or (443 if self._tls else 80)
        plain = socket.create_connection((host, port), timeout=self._timeout_s)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=host)

    def _left_s(self, until: float) -> float:
        if (left_s := until - self._clock()) <= 0:
            raise TimeoutError
        return left_s

"""The socket that an HTTP server of ours listens on."""

import errno
import ipaddress
import socket

from clickstream.errors import UserMistake

#: By which a request for this machine alone may name it: another name means that a web page has pointed its own at us.
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def listen(host: str, port: int, *, backlog: int = 128) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises UserMistake when it cannot be had."""
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        if listener is not None:
            listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UserMistake(f"port {port} is taken", hint="end what listens there, or choose another with --port") from error
        hint = "--host takes an address of this machine, --port a number above 1023"
        raise UserMistake(f"cannot listen on {host} port {port}: {error.strerror}", hint) from error
    return listener


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_name(header: str) -> str:
    """The name in a ``Host`` header, without its port or the brackets of an IPv6 address."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()


def url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

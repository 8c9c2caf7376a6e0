"""Which ports the embedded AWS and its parts take when nobody names any."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from clickstream.errors import UserMistake
from clickstream.infra.local.stack import HOST, claim

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_ports_that_nobody_named_are_free_distinct_and_no_outgoing_connections() -> None:
    """A port that the system may give to a connection could be gone before the server that is to have it binds it."""
    found = claim(*[(0, "--port")] * 200)  # so many that drawing blindly would find one twice
    assert len(set(found)) == 200
    least = int(_EPHEMERAL.read_text().split()[0]) if _EPHEMERAL.exists() else 49_152  # IANA's, elsewhere
    assert max(found) < least
    for port in found[:5]:
        with socket.socket() as server:
            server.bind((HOST, port))


def test_a_named_port_that_is_taken_is_told_with_its_option() -> None:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(UserMistake, match=f"port {port} is taken"):
            claim((port, "--kinesis-port"))

"""Whose address a request comes from, when proxies may stand in between."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse(text: str) -> Address | None:
    """An address, an IPv4 one that is wrapped in IPv6 as itself; None for anything else."""
    try:
        address = ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def client(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> Address | None:
    """The nearest address that is no proxy of ours.

    ``forwarded_for`` is the header X-Forwarded-For. Anybody may send it, so it counts only as far as trusted proxies have
    written it: from its right end, while the one who told is trusted.
    """
    address = parse(peer)
    for hop in reversed(forwarded_for.split(",")) if forwarded_for else ():
        if address is None or not any(address in network for network in trusted):
            break
        told = parse(hop)
        if told is None:
            break
        address = told
    return address

"""Whose address a request comes from, when proxies may stand in between."""

import ipaddress
import re
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: ``203.0.113.7:54321``, ``[2001:db8::1]`` and ``[2001:db8::1]:443``: some proxies write the port too (RFC 7239 allows it).
_WITH_PORT = re.compile(r"\[(?P<six>[^\[\]]+)\](:[0-9]{1,5})?|(?P<four>[0-9.]+):[0-9]{1,5}")


def parse(text: str) -> Address | None:
    """An address, without its port and zone, an IPv4 one that is wrapped in IPv6 as itself; None for anything else."""
    text = text.strip(" \t")
    if found := _WITH_PORT.fullmatch(text):
        text = found["six"] or found["four"]
    try:
        # a zone names an interface of the proxy, and says nothing of the visitor
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def normal(ip: str) -> str:
    """One text for every way to write an address; what is none is hashed as it is."""
    address = parse(ip)
    return ip if address is None else str(address)


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

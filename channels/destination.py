"""Where a request may go: the public internet, and the networks that the shop has named. Pure: an address is judged, no name is looked up."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
IP = IPv4Address | IPv6Address
_NAT64 = IPv6Network("64:ff9b::/96")


def networks(items: Iterable[str]) -> tuple[Network, ...]:
    """The networks of BOOMERANG_EGRESS_ALLOW. Raises ValueError with one line that says what to write."""
    found = []
    for item in items:
        try:
            found.append(ip_network(item))
        except ValueError:
            raise ValueError(
                f"BOOMERANG_EGRESS_ALLOW: {item!r} is not a network; write them like 10.1.0.0/16 or 127.0.0.1/32"
            ) from None
    return tuple(found)


def permitted(address: str, allow: Iterable[Network], *, public: bool = True) -> bool:
    """Whether we may connect to an IP address: it is in an allowed network, or (`public`) one of the internet.

    Not of the internet are private, loopback, link-local (cloud metadata), multicast, shared and reserved addresses, also where
    they are written inside an IPv6 address.
    """
    try:
        ip = _target(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if any(ip in network for network in allow):
        return True
    return public and _of_the_internet(ip)


def _target(ip: IP) -> IP:
    """Where a packet to the address ends up: an IPv4 address may be written inside an IPv6 one."""
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return IPv4Address(ip.packed[12:]) if ip in _NAT64 else ip


def _of_the_internet(ip: IP) -> bool:
    if isinstance(ip, IPv6Address) and (ip.is_site_local or ip.sixtofour is not None or ip.teredo is not None):
        return False  # tunnels lead to an IPv4 address that only their router knows
    return ip.is_global and not ip.is_multicast and not ip.is_reserved

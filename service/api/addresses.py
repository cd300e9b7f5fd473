"""Where a request comes from, behind proxies too."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network


def networks_of(text: str) -> Sequence[Network]:
    """The networks of a setting, with commas between."""
    return [ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]


def address_of(
    scope: Mapping[str, Any], headers: dict[bytes, bytes], proxies: Sequence[Network]
) -> str:
    """The address that counts: the nearest one that is no proxy of ours.

    Of an IPv6 address its /64, which is what one customer of a provider has.
    """
    nearest: str = (scope.get("client") or ("",))[0]
    said = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
    for farther in reversed(said):
        if not _is_in(nearest, proxies) or not farther.strip():
            break
        nearest = farther.strip()
    return _customer(nearest)


def _is_in(text: str, networks: Sequence[Network]) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _customer(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)

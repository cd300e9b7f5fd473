"""How often an address may call: whose address it is behind proxies, and the limit."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from service.limits import Limit, Limits

AUTH = Limit("auth", 100, 60)
"""Calls of one address to `/api/auth/…`."""

Network = IPv4Network | IPv6Network


class Turnstile:
    """Counts the calls of each address.

    `X-Forwarded-For` is believed from `proxies` alone: anybody can write one.
    """

    def __init__(self, limits: Limits, proxies: Sequence[Network] = ()) -> None:
        self._limits = limits
        self._proxies = proxies

    async def count(self, scope: Mapping[str, Any], headers: dict[bytes, bytes]) -> str:
        """Count a call; the address it comes from.

        Raises RateLimited when it is one too many of its address.
        """
        address = self.address_of(scope, headers)
        await self._limits.take(AUTH, address)
        return address

    def address_of(self, scope: Mapping[str, Any], headers: dict[bytes, bytes]) -> str:
        """Where a request comes from."""
        return address_of(scope, headers, self._proxies)


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

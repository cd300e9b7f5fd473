"""Which addresses may be connected to on behalf of users, who name hosts of their own choice.

A host is looked up once, its addresses are judged, and a judged address is what is connected to:
a name that means something else a moment later makes no difference.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from service.errors import InvalidInput

LOOKUP_SECONDS = 5.0
"""How long a name server may take."""
TRY_SECONDS = 3.0
"""How long one address of several may take to accept a connection."""

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host. Raises OSError when it has none."""
_Address = IPv4Address | IPv6Address
_NAT64 = IPv6Network("64:ff9b::/96")


async def ask_system(host: str, port: int) -> Sequence[str]:
    """The addresses of a host as this machine knows them, best first. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class Reach:
    """Judges hosts. Private, loopback and link-local addresses are refused unless allowed."""

    def __init__(self, allow_private: bool = False, lookup: Lookup = ask_system) -> None:
        self._allow_private = allow_private
        self._lookup = lookup

    async def addresses(self, host: str, port: int, field: str) -> Sequence[str]:
        """The addresses of the host, all of which may be connected to.

        Raises InvalidInput, naming the field that the host stands in, when one of them may not;
        OSError when there is no such host; TimeoutError when nobody tells.
        """
        async with asyncio.timeout(LOOKUP_SECONDS):
            found = await self._lookup(host, port)
        if not self._allow_private and not all(is_public(address) for address in found):
            raise InvalidInput(
                f"{host} is in a private network; HEADRACE_ALLOW_PRIVATE_TARGETS would allow it",
                field,
            )
        return found

    async def address(self, host: str, port: int, field: str) -> str:
        """The first of its addresses that accepts connections. Raises as `addresses` does."""
        found = await self.addresses(host, port, field)
        for address in found[:-1]:
            with suppress(OSError, TimeoutError):
                await _accepts(address, port)
                return address
        return found[-1]


async def _accepts(address: str, port: int) -> None:
    async with asyncio.timeout(TRY_SECONDS):
        _, writer = await asyncio.open_connection(address, port)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def is_public(text: str) -> bool:
    """Whether the address is one of the open internet, also where it wraps up another one."""
    address = _unwrapped(ip_address(text.partition("%")[0]))
    return address.is_global and not address.is_multicast


def _unwrapped(address: _Address) -> _Address:
    """The IPv4 address that is meant by an IPv6 address that carries one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address


def host_and_port(text: str, default: int, field: str) -> tuple[str, int]:
    """The parts of `host`, `host:port` or `[address]:port`. Raises InvalidInput."""
    try:
        parts = urlsplit(f"//{text.strip()}")
        port = default if parts.port is None else parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    plain = parts.netloc == text.strip() and not re.search(r"[\s@]", parts.netloc)
    if not parts.hostname or not plain or not port:
        about = f"{text!r} is no host and port, like host.example.com:{default}"
        raise InvalidInput(about, field)
    return parts.hostname, port

"""TLS to an address under the name that it was looked up by."""

import ssl

from service.errors import InvalidInput


class NamedContext(ssl.SSLContext):
    """Asks servers for certificates of the names that their addresses were looked up by.

    Clients that are given an address instead of a host check certificates against it; here they
    are told the name.
    """

    names: dict[str, str]
    """Hosts by their addresses."""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As of any context, with the name in place of an address."""
        name = self.names.get(str(server_hostname), server_hostname)
        return super().wrap_bio(incoming, outgoing, server_side, name, session)


def named_context(authorities: str = "", field: str = "ca_cert") -> NamedContext:
    """For clients: trusts these certificates (PEM), or the system's where there are none.

    Raises InvalidInput, naming the field, when they are no certificates.
    """
    context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.names = {}
    try:
        if authorities:
            context.load_verify_locations(cadata=authorities)
        else:
            context.load_default_certs()
    except (ssl.SSLError, ValueError):
        raise InvalidInput("these are no certificates in PEM form", field) from None
    return context

"""HTTP to hosts that users name: each request, and so each redirect, is judged anew."""

import httpx2

from service.reach.addresses import Reach


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """Connects to addresses that were judged; the host stays in the `Host` header and in TLS.

    Raises InvalidInput for a host that may not be reached, ConnectError for one that there is not.
    """

    def __init__(self, reach: Reach, field: str = "base_url") -> None:
        super().__init__(trust_env=False)
        self._reach = reach
        self._field = field

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """As of any transport."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            address = await self._reach.address(url.host, port, self._field)
        except OSError as error:
            about = f"{url.host} cannot be looked up"
            raise httpx2.ConnectError(about, request=request) from error
        extensions = {**request.extensions, "sni_hostname": url.host}
        there = httpx2.Request(
            request.method,
            url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions=extensions,
        )
        return await super().handle_async_request(there)

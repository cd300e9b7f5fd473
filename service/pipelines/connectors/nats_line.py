"""A line to a user's NATS: who we are there, and that no other hosts are than may be reached.

The servers of a cluster tell of each other; they are not listened to, for a line that breaks is
made anew, to the hosts that the configuration names.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
from nats import errors
from nats.aio.client import Client
from nats.js.errors import APIError, NotFoundError
from nats.js.errors import Error as JetStreamError

from service.errors import ConnectorBroken, SourceUnavailable, TargetUnavailable
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.connectors.said import said
from service.reach.addresses import Reach, host_and_port
from service.reach.names import named_context

PORT = 4222

_PAUSE: Any = 0.1
"""Seconds before the one more try."""
_UNWELCOME = "authorization violation"
"""What a server says to who is not let in; the driver knows it only later on."""
_WRONG = (errors.AuthorizationError, NotFoundError)


class NatsServers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which servers, and as whom."""

    servers: Annotated[str, msgspec.Meta(min_length=1)]
    """`host:port`, several of one cluster with commas between."""
    user: str | None = None
    password: str | None = None
    token: str | None = None
    """Instead of user and password."""
    tls: bool = False
    ca_cert: str | None = None
    """Certificates (PEM) of who signs for the servers; the system's where there are none."""


class NatsLine:
    """A connection that is made when it is needed, and given up when anything goes wrong."""

    def __init__(
        self,
        config: NatsServers,
        surroundings: Surroundings,
        unavailable: type[SourceUnavailable] | type[TargetUnavailable],
    ) -> None:
        self._config = config
        self._reach = Reach(surroundings.allow_private)
        self._unavailable = unavailable
        self._client: Client | None = None
        self.patience = surroundings.patience

    @asynccontextmanager
    async def asking(self, extra: float = 0.0) -> AsyncIterator[Client]:
        """The connection. Raises InvalidInput for hosts that may not be reached, ConnectorBroken
        when the server does not let us in, else what is raised when it does not answer.
        """
        try:
            async with asyncio.timeout(self.patience + extra):
                if self._client is None or not self._client.is_connected:
                    await self.close()
                    self._client = await self._connected()
                yield self._client
        except _WRONG as error:
            await self.close()
            raise ConnectorBroken(self._told(error)) from error
        except (errors.Error, JetStreamError, APIError, OSError, TimeoutError) as error:
            await self.close()
            raise self._unavailable(self._told(error)) from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _told(self, error: Exception) -> str:
        secrets = [self._config.password or "", self._config.token or ""]
        return f"NATS: {said(error, secrets)}"

    async def _connected(self) -> Client:
        problems: list[Exception] = []
        for text in self._config.servers.split(","):
            host, port = host_and_port(text, PORT, "servers")
            try:
                return await self._connect(host, port)
            except errors.AuthorizationError:
                raise
            except (errors.Error, OSError, TimeoutError) as error:
                problems.append(error)
        raise problems[0]

    async def _connect(self, host: str, port: int) -> Client:
        config = self._config
        address = await self._reach.address(host, port, "servers")
        shown = f"[{address}]" if ":" in address else address
        patience: Any = self.patience  # the driver says int, and takes parts of seconds
        client, problems = Client(), list[Exception]()

        async def note(error: Exception) -> None:
            problems.append(error)

        try:
            await client.connect(
                f"{'tls' if config.tls else 'nats'}://{shown}:{port}",
                name="headrace",
                user=config.user or None,
                password=config.password or None,
                token=config.token or None,
                tls=named_context(config.ca_cert or "") if config.tls else None,
                tls_hostname=host if config.tls else None,
                connect_timeout=patience,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=_PAUSE,
                pending_size=-1,
                error_cb=note,
            )
        except errors.Error as error:
            await client.close()  # the driver leaves what it opened open when it is not let in
            raise _reason(error, problems) from None
        except BaseException:
            await client.close()
            raise
        return client


def _reason(error: errors.Error, problems: Sequence[Exception]) -> Exception:
    """What really kept us out, where the driver says no more than that nobody let us in."""
    if isinstance(error, errors.NoServersError) and problems:
        return problems[-1]
    if _UNWELCOME in str(error).lower():
        return errors.AuthorizationError()
    return error

"""A line to Kafka: how brokers are spoken to, and that no other hosts are than may be reached.

Brokers name each other's hosts, so the host of each connection is judged, not only those that the
configuration names.
"""

import asyncio
import dataclasses
import importlib.util
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Literal

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, errors
from aiokafka.abc import AbstractTokenProvider
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection, create_conn

from service.errors import ConnectorBroken, InvalidInput, SourceUnavailable, TargetUnavailable
from service.pipelines.connectors.said import said
from service.reach.addresses import Reach, host_and_port
from service.reach.names import NamedContext, named_context
from service.telemetry import log

PORT = 9092
_WRONG = (
    errors.SaslAuthenticationFailed,
    errors.AuthenticationFailedError,
    errors.AuthenticationMethodNotSupported,
    errors.UnsupportedSaslMechanismError,
    errors.TopicAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.InvalidTopicError,
    ssl.SSLCertVerificationError,
)
"""What no second try will change."""


class KafkaSecurity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How brokers are spoken to. An empty text is the same as leaving an option out."""

    security_protocol: Literal["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"] = "PLAINTEXT"
    sasl_mechanism: (
        Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER"] | None
    ) = None
    """With SASL; PLAIN where nothing is said."""
    sasl_username: str | None = None
    sasl_password: str | None = None
    """The token, for OAUTHBEARER."""
    ca_cert: str | None = None
    """Certificates (PEM) of who signs for the brokers; the system's where there are none."""

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field."""
        if self.uses_sasl and self.mechanism == "GSSAPI":
            if importlib.util.find_spec("gssapi") is None:
                about = "GSSAPI needs the Python package gssapi, which is not installed here"
                raise ValueError(f"{about} - at `$.sasl_mechanism`")
        elif self.uses_sasl:
            needed = ["sasl_password"]
            if self.mechanism != "OAUTHBEARER":
                needed.insert(0, "sasl_username")
            for name in needed:
                if not getattr(self, name):
                    raise ValueError(f"{self.security_protocol} needs it - at `$.{name}`")

    @property
    def uses_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def mechanism(self) -> str:
        return self.sasl_mechanism or "PLAIN"


@dataclasses.dataclass(frozen=True)
class Line:
    """Which brokers, how they are spoken to, and who judges their hosts."""

    servers: str
    """`host:port`, several with commas between."""
    field: str
    """The option that they stand in."""
    security: KafkaSecurity = dataclasses.field(repr=False)
    reach: Reach
    client_id: str
    unavailable: type[SourceUnavailable] | type[TargetUnavailable]
    """What is raised when no broker answers."""
    patience: float = 30.0
    """Seconds that brokers may take for what they are asked; a single request half as long."""

    async def consumer(self, **options: Any) -> AIOKafkaConsumer:
        """One that is started, in no group, and commits nothing.

        Raises InvalidInput for hosts that may not be reached, ConnectorBroken when the brokers do
        not let us in, `unavailable` when none answers.
        """
        server = await self._answering()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=server, enable_auto_commit=False, **self._options, **options
        )
        self._guard(consumer._client)
        try:
            await self._start(consumer, consumer._client)
        except BaseException:
            await consumer.stop()
            raise
        return consumer

    async def producer(self, **options: Any) -> AIOKafkaProducer:
        """One that waits for all replicas, not started yet. Raises as `consumer` does."""
        server = await self._answering()
        producer = AIOKafkaProducer(
            bootstrap_servers=server, acks="all", **self._options, **options
        )
        self._guard(producer.client)
        return producer

    async def topics(self) -> Sequence[str]:
        """The names of the topics, in order, without Kafka's own. Raises as `consumer` does."""
        consumer = await self.consumer()
        try:
            with self.errors():
                async with asyncio.timeout(self.patience):
                    found = await consumer.topics()
        finally:
            await consumer.stop()
        return sorted(name for name in found if not name.startswith("__"))

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raises what brokers say in our own words."""
        secrets = [self.security.sasl_password or ""]
        try:
            yield
        except _WRONG as error:
            raise ConnectorBroken(f"Kafka: {said(error, secrets)}") from error
        except (errors.KafkaError, OSError, TimeoutError) as error:
            raise self.unavailable(f"Kafka: {said(error, secrets)}") from error

    async def judge(self, client: AIOKafkaClient) -> None:
        """Raises InvalidInput when a broker says that it is where we may not go."""
        for broker in client.cluster.brokers():
            with self.errors():
                await self.reach.addresses(broker.host, broker.port, self.field)

    async def _start(self, consumer: AIOKafkaConsumer, client: AIOKafkaClient) -> None:
        with self.errors():
            await consumer.start()
        await self.judge(client)

    def _guard(self, client: AIOKafkaClient) -> None:
        # The library makes the client itself, so its class is changed once it is made.
        client.__class__ = _GuardedClient
        client.line = self

    async def _answering(self) -> str:
        """The address of the first server that lets us in, for what it says when it does not."""
        problems = []
        for text in self.servers.split(","):
            host, port = host_and_port(text, PORT, self.field)
            try:
                with self.errors():
                    return await self._try(host, port)
            except (SourceUnavailable, TargetUnavailable) as error:
                problems.append(f"{host}:{port}: {error}")
        raise self.unavailable("; ".join(problems))

    async def _try(self, host: str, port: int) -> str:
        address = await self.address(host, port)
        connection = await create_conn(address, port, **self._options)
        await connection.close()
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    async def address(self, host: str, port: int) -> str:
        """Where a host is. Raises as `Reach.address` does."""
        address = await self.reach.address(host, port, self.field)
        if self._context is not None and address != host:
            self._context.names[address] = host
        return address

    @cached_property
    def _context(self) -> NamedContext | None:
        return named_context(self.security.ca_cert or "") if self.security.uses_tls else None

    @cached_property
    def _options(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "client_id": self.client_id,
            "security_protocol": self.security.security_protocol,
            "ssl_context": self._context,
            "request_timeout_ms": int(self.patience * 500),
        }
        return told | self._sasl()

    def _sasl(self) -> dict[str, Any]:
        security = self.security
        if not security.uses_sasl:
            return {}
        return {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.sasl_username,
            "sasl_plain_password": security.sasl_password,
            "sasl_oauth_token_provider": _Token(security.sasl_password or ""),
        }


class _Token(AbstractTokenProvider):
    """The token that the configuration names."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    async def token(self) -> str:
        return self._token


class _GuardedClient(AIOKafkaClient):
    """Connects to brokers at addresses that were judged, whatever hosts they say they have."""

    line: Line

    async def _get_conn(
        self, node_id: Any, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False
    ) -> AIOKafkaConnection | None:
        held = self._conns.get((node_id, group))
        if (held is None or not held.connected()) and not await self._pin(node_id):
            return None
        return await super()._get_conn(node_id, group=group, no_hint=no_hint)

    async def _pin(self, node_id: Any) -> bool:
        """Put an address in place of the broker's host; False when it may not be reached."""
        broker = self.cluster.broker_metadata(node_id)
        if broker is None:
            return True
        try:
            address = await self.line.address(broker.host, broker.port)
        except (InvalidInput, OSError, TimeoutError) as error:
            log().warning("connector.broker_not_reached", broker=node_id, reason=said(error))
            self.force_metadata_update()
            return False
        self.cluster._brokers[node_id] = broker._replace(host=address)
        return True

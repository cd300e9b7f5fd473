"""The ways out of a pipeline that is put to the proof: what each target holds in the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import duckdb
import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from service.pipelines.mapper import Column
from service.pipelines.model import ConnectorConfig, SubscriptionConfig
from tests.kafka import Kafka
from tests.proxy import Proxy, a_proxy
from tests.servers import PASSWORD, Postgres

PARTITIONS = 64
"""So many that no partition holds more than the broker keeps of it, 5 MB."""
COLUMNS = msgspec.convert(
    [
        {"key": "n", "path": "$.n", "cast": "int", "nullable": False},
        {"key": "price", "path": "$.price", "cast": "float", "nullable": False},
        {"key": "at", "path": "$.at", "cast": "datetime"},
        {"key": "user_id", "path": "$.user.id"},
        {"key": "mail", "path": "$.user.mail"},
        {"key": "kind", "path": "$.kind"},
        {"key": "country", "path": "$.geo.country"},
        {"key": "sku", "path": "$.sku"},
    ],
    list[Column],
)
"""Eight paths and three casts."""
_TABLE = """CREATE TABLE moved (n bigint, price float8, at timestamptz, user_id text, mail text,
    kind text, country text, sku text, row bigint GENERATED ALWAYS AS IDENTITY)"""
_EVENTS = """SELECT user_id, CAST(json_extract(payload, '$.n') AS BIGINT) FROM events
    WHERE event_type = 'moved' ORDER BY position, ordinal"""

Held = Sequence[tuple[str, int]]
"""Key and number of the records, those of one key in their order."""


class WayOut(NamedTuple):
    """A subscription, and how to read what its target holds."""

    subscription: SubscriptionConfig
    held: Callable[[], Awaitable[Held]]


def a_way(
    name: str, held: Callable[[], Awaitable[Held]], settings: dict[str, object], table: str = ""
) -> WayOut:
    target = ConnectorConfig(f"{name.upper()}_TARGET", settings)
    return WayOut(SubscriptionConfig(name, COLUMNS, target, table), held)


def into_kafka(kafka: Kafka, proxy: Proxy) -> WayOut:
    kafka.make_topic("moved", PARTITIONS)

    async def held() -> Held:
        return await asyncio.to_thread(_read, kafka.address, "moved")

    return a_way("kafka", held, {"bootstrap_server": f"127.0.0.1:{proxy.port}"}, "moved")


@asynccontextmanager
async def into_postgres(postgres: Postgres) -> AsyncIterator[tuple[WayOut, Proxy]]:
    url = await postgres.new_database()
    connection = await asyncpg.connect(url)
    await connection.execute(_TABLE)

    async def held() -> Held:
        return await connection.fetch("SELECT user_id, n FROM moved ORDER BY row")

    async with a_proxy(postgres.port) as proxy:
        settings = {
            "host": "127.0.0.1", "port": proxy.port, "database": url.rpartition("/")[2],
            "user": "headrace", "password": PASSWORD, "place_table": "places",
            "create_place_table": True,
        }  # fmt: skip
        yield a_way("postgres", held, settings, "moved"), proxy
    await connection.close()


def into_the_warehouse(folder: Path) -> WayOut:
    async def held() -> Held:
        with duckdb.connect(str(folder / "events.duckdb"), read_only=True) as file:
            return file.execute(_EVENTS).fetchall()

    return a_way("warehouse", held, {"event_type": "moved"})


def _read(address: str, topic: str) -> Held:
    """All of a topic, by a client that is not ours."""
    quiet = {"group.id": "judge", "enable.partition.eof": True, "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": address, **quiet})
    parts = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)]
    consumer.assign(parts)
    found: list[tuple[str, int]] = []
    left = PARTITIONS
    while left:
        for message in consumer.consume(10_000, timeout=1.0):
            if message.error():
                left -= 1
            else:
                record = msgspec.json.decode(message.value())
                found.append((record["user_id"], record["n"]))
    consumer.close()
    return found

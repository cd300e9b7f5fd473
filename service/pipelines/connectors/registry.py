"""The kinds of connectors that there are: the one place that names them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from service.errors import InvalidInput
from service.pipelines.connectors.csv_source import (
    CsvSource,
    check_csv_source,
    csv_files,
    fetch_from_csv,
    open_csv_source,
)
from service.pipelines.connectors.http_api import (
    HTTP_API_SECRETS,
    HttpApiTarget,
    check_http_api,
    open_http_api,
    together_in_http,
)
from service.pipelines.connectors.http_push import HttpSource
from service.pipelines.connectors.ingested import StreamSource, open_stream_source
from service.pipelines.connectors.kafka_source import (
    KafkaSource,
    check_kafka_source,
    fetch_from_kafka,
    kafka_topics,
    open_kafka_source,
)
from service.pipelines.connectors.kafka_target import (
    KafkaTarget,
    check_kafka_target,
    kafka_target_topics,
    open_kafka_target,
)
from service.pipelines.connectors.nats_source import (
    NatsSource,
    check_nats_source,
    fetch_from_nats,
    nats_streams,
    open_nats_source,
)
from service.pipelines.connectors.nats_target import (
    NatsTarget,
    check_nats_target,
    open_nats_target,
)
from service.pipelines.connectors.oracle_target import (
    OracleTarget,
    check_oracle_target,
    open_oracle_target,
)
from service.pipelines.connectors.postgres_target import (
    PostgresTarget,
    check_postgres_target,
    open_postgres_target,
    postgres_tables,
)
from service.pipelines.connectors.protocol import Kind
from service.pipelines.connectors.warehouse import WarehouseTarget, open_warehouse

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "HTTP_API_TARGET",
            "target",
            HttpApiTarget,
            "Each record to an HTTP API.",
            HTTP_API_SECRETS,
            open_target=open_http_api,
            check=check_http_api,
            together=together_in_http,
        ),
        Kind("HTTP_SOURCE", "source", HttpSource, "Records that others post to the pipeline."),
        Kind(
            "CSV_SOURCE",
            "source",
            CsvSource,
            "The rows of a CSV file.",
            open_source=open_csv_source,
            check=check_csv_source,
            topics=csv_files,
            fetch=fetch_from_csv,
        ),
        Kind(
            "KAFKA_SOURCE",
            "source",
            KafkaSource,
            "The records of a topic of Kafka.",
            frozenset({"sasl_password"}),
            open_source=open_kafka_source,
            check=check_kafka_source,
            topics=kafka_topics,
            fetch=fetch_from_kafka,
        ),
        Kind(
            "KAFKA_TARGET",
            "target",
            KafkaTarget,
            "Records into a topic of Kafka.",
            frozenset({"sasl_password"}),
            open_target=open_kafka_target,
            check=check_kafka_target,
            topics=kafka_target_topics,
        ),
        Kind(
            "NATS_SOURCE",
            "source",
            NatsSource,
            "The messages of a stream of NATS.",
            frozenset({"password", "token"}),
            open_source=open_nats_source,
            check=check_nats_source,
            topics=nats_streams,
            fetch=fetch_from_nats,
        ),
        Kind(
            "NATS_TARGET",
            "target",
            NatsTarget,
            "Messages of a subject of NATS.",
            frozenset({"password", "token"}),
            open_target=open_nats_target,
            check=check_nats_target,
            topics=nats_streams,
        ),
        Kind(
            "ORACLE_TARGET",
            "target",
            OracleTarget,
            "Rows of a table of Oracle.",
            frozenset({"password"}),
            open_target=open_oracle_target,
            check=check_oracle_target,
        ),
        Kind(
            "POSTGRES_TARGET",
            "target",
            PostgresTarget,
            "Rows of a table of PostgreSQL.",
            frozenset({"password"}),
            open_target=open_postgres_target,
            check=check_postgres_target,
            topics=postgres_tables,
        ),
        Kind(
            "STREAM_SOURCE",
            "source",
            StreamSource,
            "The events that the environment takes in.",
            open_source=open_stream_source,
        ),
        Kind(
            "WAREHOUSE_TARGET",
            "target",
            WarehouseTarget,
            "Events of the environment.",
            open_target=open_warehouse,
        ),
    )
}


def kind_of(name: str, field: str = "type") -> Kind:
    """The kind of this name. Raises InvalidInput, naming those that there are."""
    if name not in KINDS:
        raise InvalidInput(f"{name!r} is none of {', '.join(sorted(KINDS))}", field)
    return KINDS[name]


def config_of(kind: Kind, settings: Mapping[str, Any], field: str = "configuration") -> Any:
    """The settings as the kind's configuration. Raises InvalidInput, naming the field in them."""
    try:
        return msgspec.convert(settings, kind.config)
    except msgspec.ValidationError as error:
        about, _, where = str(error).partition(" - at `$.")
        raise InvalidInput(about, f"{field}.{where.rstrip('`')}" if where else field) from None

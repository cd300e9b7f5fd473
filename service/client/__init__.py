"""The Python client, which users import as `headrace` (docs/client.md).

    async with Client("http://127.0.0.1:8000", api_key) as client:
        sent = await client.send([Event(event_type="click", user_id="ada", ...)])
        metrics = await client.metrics(Question(time_range="24h"))

It needs nothing of the service but its errors, and raises them as the service answered them.
"""

from service.client.answers import (
    Bucket,
    Customer,
    Erasure,
    Metrics,
    NumberRow,
    Numbers,
    Realtime,
    Receipt,
    Rejection,
    Sent,
    Stats,
    Table,
    TypeCount,
    UserCount,
    Version,
)
from service.client.batches import Event, Outgoing
from service.client.blocking import BlockingClient
from service.client.client import Client
from service.client.connection import ClientOptions
from service.client.credentials import ApiKey, SigningKey, Token
from service.client.partner import Partner, PartnerOptions, Received
from service.client.producer import Producer, ProducerOptions, Tally
from service.client.questions import (
    Exists,
    Group,
    In,
    Is,
    Not,
    Query,
    Question,
    Row,
    Rows,
    Span,
    Totals,
)

__all__ = [
    "ApiKey",
    "BlockingClient",
    "Bucket",
    "Client",
    "ClientOptions",
    "Customer",
    "Erasure",
    "Event",
    "Exists",
    "Group",
    "In",
    "Is",
    "Metrics",
    "Not",
    "NumberRow",
    "Numbers",
    "Outgoing",
    "Partner",
    "PartnerOptions",
    "Producer",
    "ProducerOptions",
    "Query",
    "Question",
    "Realtime",
    "Receipt",
    "Received",
    "Rejection",
    "Row",
    "Rows",
    "Sent",
    "SigningKey",
    "Span",
    "Stats",
    "Table",
    "Tally",
    "Token",
    "Totals",
    "TypeCount",
    "UserCount",
    "Version",
]

"""The Python client of the events face: sends events so that each counts once, asks for answers.

    async with Client("http://127.0.0.1:8000", api_key) as client:
        sent = await client.send([Event(event_type="click", user_id="ada", ...)])
        metrics = await client.metrics(Question(time_range="24h"))

It needs nothing of the service but its errors, and raises them as the service answered them.
"""

from service.client.answers import (
    Bucket,
    Metrics,
    NumberRow,
    Numbers,
    Receipt,
    Rejection,
    Sent,
    Stats,
    TypeCount,
    UserCount,
)
from service.client.batches import Event, Outgoing
from service.client.client import Client, ClientOptions, Question

__all__ = [
    "Bucket",
    "Client",
    "ClientOptions",
    "Event",
    "Metrics",
    "NumberRow",
    "Numbers",
    "Outgoing",
    "Question",
    "Receipt",
    "Rejection",
    "Sent",
    "Stats",
    "TypeCount",
    "UserCount",
]

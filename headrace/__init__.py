"""The Python client of Headrace, and the errors that it raises (docs/client.md).

async with Client("http://127.0.0.1:8000", api_key) as client:
    sent = await client.send([Event(event_type="click", user_id="ada", ...)])
    metrics = await client.metrics(Question(time_range="24h"))
"""

from service import errors as errors
from service.client import *  # noqa: F403 (all that it names in __all__, and nothing else)
from service.errors import HeadraceError as HeadraceError

"""The one place that names concrete parts: from settings to a service with everything open.

Each part is the embedded one, or the server that its URL names, in any mix. `open_service` is for
one process that does everything, `open_answering` and `open_writing` are its two halves.
"""

from service.bootstrap.opened import Answering, Service, Turns, Writing
from service.bootstrap.opening import (
    migrate_data,
    migrations_due,
    open_answering,
    open_service,
    open_store,
    open_writing,
)
from service.bootstrap.place import operator_token, sealing_of, tokens_of

__all__ = [
    "Answering",
    "Service",
    "Turns",
    "Writing",
    "migrate_data",
    "migrations_due",
    "open_answering",
    "open_service",
    "open_store",
    "open_writing",
    "operator_token",
    "sealing_of",
    "tokens_of",
]

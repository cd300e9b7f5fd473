"""The names the log has on NATS."""

import re

from service.errors import InvalidInput

EVENTS = "HEADRACE_EVENTS"
DEAD_LETTERS = "HEADRACE_DEAD_LETTERS"
EVERY_EVENT = "headrace.events.*"
EVERY_DEAD_LETTER = "headrace.dead.*"

_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")


def events(tenant: str) -> str:
    """The subject of a tenant's batches. Raises InvalidInput for a name NATS cannot carry."""
    if not _TENANT.fullmatch(tenant):
        raise InvalidInput(f"an environment id has letters, digits, _ and - only: {tenant!r}")
    return f"headrace.events.{tenant}"


def dead_letters(tenant: str) -> str:
    """The subject of a tenant's unreadable messages."""
    return f"headrace.dead.{tenant}"


def bucket(name: str) -> str:
    """The stream that keeps the values of a bucket."""
    return f"KV_{name}"


def value(bucket_name: str, key: str) -> str:
    """The subject of one value of a bucket; with `>` for a key, of all."""
    return f"$KV.{bucket_name}.{key}"


def moved(bucket_name: str) -> str:
    """Where it is said that a value of a bucket was moved."""
    return f"headrace.moved.{bucket_name}"


def tenant_of(subject: str) -> str:
    """The tenant that a subject of ours names."""
    return subject.rpartition(".")[2]

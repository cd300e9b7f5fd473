"""What users of SQL are let do in an engine: caps, and how mistakes of theirs are told.

The text that comes here was made from a tree that was checked (`service/query/sql`). The engines
read it on handles that cannot write, that reach no file and no network, and that are capped.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.errors import InvalidSql

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer in memory."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement that was made of a user's query, and the values that it names."""

    text: str
    values: Mapping[str, Any]


def mistake(told: str) -> InvalidSql:
    """What an engine says of a query that it does not understand, in one line."""
    line = _PREFIX.sub("", told.strip()).split("\n")[0]
    return InvalidSql(f"the query makes no sense: {_SUFFIX.split(line)[0][:300]}")


_PREFIX = re.compile(r"^(?:.*?DB::Exception: )+|^[\w ]+ Error: ", re.S)
_SUFFIX = re.compile(r":? In scope |\. In query|\. \(\w+\)$| \(\w+\)$|\(version ")

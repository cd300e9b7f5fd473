"""Long lists, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import RowMapping, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

USUAL = 50
MOST = 500
"""Items of a page."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a list is wanted, and with `search` only items that have this in their name."""

    skip: int = 0
    limit: int = USUAL
    search: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item]):
    """A part of a list, and how many items the whole list has."""

    items: Sequence[_Item]
    total: int
    span: Span


async def rows_of(
    connection: AsyncConnection, question: Select[Any], span: Span
) -> tuple[Sequence[RowMapping], int]:
    """The rows of this part, and how many there are in all; `question` says the order."""
    everything = question.order_by(None).subquery()
    total = await connection.execute(select(func.count()).select_from(everything))
    rows = await connection.execute(question.offset(span.skip).limit(span.limit))
    return rows.mappings().all(), total.scalar_one()

"""Lists of the control face, a page at a time: `skip` and `limit`, or `page` and `size`."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Request

from service.accounts.pages import MOST, USUAL, Page, Span
from service.api.openapi import text_parameter
from service.api.served import parameters_of
from service.errors import InvalidInput

_FARTHEST = 10**9
_LONGEST_SEARCH = 128
_NUMBERS = ("skip", "limit", "page", "size")

_Item = TypeVar("_Item")

PAGE_PARAMETERS = [
    text_parameter("skip", "How many items to leave out; 0 without."),
    text_parameter("limit", f"How many items at most, 1 to {MOST}; {USUAL} without."),
    text_parameter("page", "The page's number from 1 on, instead of `skip`."),
    text_parameter("size", f"Items of a page, 1 to {MOST}, instead of `limit`; {USUAL} without."),
    text_parameter("search", "Only items that have this text in their name, in whatever case."),
]


class PageDocument(msgspec.Struct, Generic[_Item]):
    """A part of a list: which page of which size it is, and how much there is."""

    items: list[_Item]
    total: int
    page: int
    size: int
    pages: int


def span_of(request: Request[Any, Any, Any], *beside: str) -> Span:
    """What part of the list is asked for; `beside` names other parameters that there may be.

    Raises InvalidInput.
    """
    raw = parameters_of(request.scope["query_string"])
    for name in raw:
        if name not in (*_NUMBERS, "search", *beside):
            raise InvalidInput(f"`{name}` is not a parameter here", name)
    search = raw.get("search", "")
    if len(search) > _LONGEST_SEARCH:
        raise InvalidInput(f"`search` has at most {_LONGEST_SEARCH} characters", "search")
    return Span(*_numbers(raw), search)


def page_document(page: Page[Any], items: list[_Item]) -> PageDocument[_Item]:
    """The page with its items as the face shows them."""
    skip, size = page.span.skip, page.span.limit
    return PageDocument(items, page.total, skip // size + 1, size, -(-page.total // size))


def _numbers(raw: Mapping[str, str]) -> tuple[int, int]:
    """How many to skip, how many to give."""
    if {"page", "size"} & raw.keys():
        for name in ("skip", "limit"):
            if name in raw:
                raise InvalidInput(f"`{name}` does not go with `page` and `size`", name)
        size = _number(raw, "size", USUAL, 1, MOST)
        return (_number(raw, "page", 1, 1, _FARTHEST // size) - 1) * size, size
    return _number(raw, "skip", 0, 0, _FARTHEST), _number(raw, "limit", USUAL, 1, MOST)


def _number(raw: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    text = raw.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise InvalidInput(f"`{name}` must be a whole number from {least} to {most}", name)
    return int(text)

"""Query strings that name one thing."""

from typing import Any

from litestar import Request

from service.api.served import parameters_of
from service.errors import InvalidInput


def name_of(request: Request[Any, Any, Any]) -> str:
    """The parameter `name`. Raises InvalidInput without it, and for any other."""
    raw = parameters_of(request.scope["query_string"])
    for name in raw:
        if name != "name":
            raise InvalidInput(f"`{name}` is not a parameter here", name)
    if "name" not in raw:
        raise InvalidInput("Object missing required field `name`", "name")
    return raw["name"]

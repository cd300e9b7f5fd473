"""JSONPath (RFC 9535): where in a message a value stands.

Left out is what can be written to run for ever: the functions `match` and `search`, more than one
`..`, and in a filter queries that may find more than one value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError, JSONPathQuery
from jsonpath_rfc9535.filter_expressions import (
    ComparisonExpression,
    Expression,
    FilterExpression,
    FilterQuery,
    FunctionExtension,
    LogicalExpression,
    PrefixExpression,
)
from jsonpath_rfc9535.segments import JSONPathRecursiveDescentSegment
from jsonpath_rfc9535.selectors import FilterSelector, IndexSelector, NameSelector

from service.errors import InvalidInput

LONGEST = 512
"""Characters of a path."""

Place = tuple[int | str, ...]
"""Which element of each list (or member of each object) was chosen where a path leaves it open."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value and the place of the element that it belongs to."""

    place: Place
    value: Any


class Path:
    """A compiled path. `steps` are its names and indexes when it names one value at the most."""

    def __init__(self, text: str) -> None:
        """Raises InvalidInput, saying where the path is wrong."""
        if len(text) > LONGEST:
            raise InvalidInput(f"a path has at most {LONGEST} characters")
        try:
            self._query = _ENVIRONMENT.compile(text)
        except (JSONPathError, RecursionError) as error:
            raise InvalidInput(f"{text!r} is no JSONPath (RFC 9535): {error}") from None
        _refuse_dear(self._query, text)
        self.text = text
        self.steps = _steps(self._query)
        self._open = _open_segments(self._query)

    @property
    def depth(self) -> int:
        """How many of its segments leave a choice; 0 for a path to one value."""
        return 0 if self._open is None else max(1, len(self._open))

    def find(self, message: Mapping[str, Any]) -> Sequence[Found]:
        """Every value, in the order of the message."""
        nodes = list(self._query.finditer(dict(message)))
        if not self._open:
            return [Found((order,), node.value) for order, node in enumerate(nodes)]
        return [Found(tuple(n.location[at] for at in self._open), n.value) for n in nodes]


def _refuse_dear(query: JSONPathQuery, text: str) -> None:
    segments = query.segments
    if sum(isinstance(segment, JSONPathRecursiveDescentSegment) for segment in segments) > 1:
        raise InvalidInput(f"{text!r} has more than one `..`, which may take too long")
    selectors = [selector for segment in segments for selector in segment.selectors]
    filters = [one.expression for one in selectors if isinstance(one, FilterSelector)]
    if not all(inner.singular_query() for one in filters for inner in _queries(one)):
        raise InvalidInput(f"{text!r} asks in a filter for more than one value")


def _queries(expression: Expression) -> Iterator[JSONPathQuery]:
    """The queries inside a filter."""
    if isinstance(expression, FilterQuery):
        yield expression.query
    for part in _parts(expression):
        yield from _queries(part)


def _parts(expression: Expression) -> Sequence[Expression]:
    if isinstance(expression, FilterExpression):
        return [expression.expression]
    if isinstance(expression, PrefixExpression):
        return [expression.right]
    if isinstance(expression, LogicalExpression | ComparisonExpression):
        return [expression.left, expression.right]
    return expression.args if isinstance(expression, FunctionExtension) else []


def _steps(query: JSONPathQuery) -> Sequence[int | str] | None:
    if not query.singular_query():
        return None
    selectors = [segment.selectors[0] for segment in query.segments]
    return [_step(selector) for selector in selectors]


def _step(selector: Any) -> int | str:
    step: int | str = selector.index if isinstance(selector, IndexSelector) else selector.name
    return step


def _open_segments(query: JSONPathQuery) -> Sequence[int] | None:
    """Which segments leave a choice: None for no one, nothing where `..` hides their place."""
    if query.singular_query():
        return None
    if any(isinstance(segment, JSONPathRecursiveDescentSegment) for segment in query.segments):
        return ()
    return [at for at, segment in enumerate(query.segments) if not _is_closed(segment.selectors)]


def _is_closed(selectors: Sequence[Any]) -> bool:
    return len(selectors) == 1 and isinstance(selectors[0], NameSelector | IndexSelector)


class _Environment(JSONPathEnvironment):
    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        for name in ("match", "search"):
            del self.function_extensions[name]


_ENVIRONMENT = _Environment()

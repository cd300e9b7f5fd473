"""From the bytes of a request to a query that was checked.

What is not in the grammar is SqlNotAllowed, what makes no sense InvalidSql; both say where.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any

import msgspec
import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, SqlglotError, TokenError
from sqlglot.optimizer.qualify import qualify

from service.errors import InvalidInput, InvalidSql, SqlNotAllowed
from service.query.language.decoding import Grammar
from service.query.sql import checking
from service.query.sql.grammar import DEEPEST, LONGEST_QUERY, MOST_TOKENS, TABLES

Value = str | int | float | bool | None
USUAL_ROWS, MOST_ROWS = 1_000, 10_000
_WHOLE = 2**63


class SqlDocument(msgspec.Struct, forbid_unknown_fields=True):
    """A query, the values of its `$parameters`, and how many rows to answer at most."""

    query: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_QUERY)]
    parameters: dict[str, Value] = {}
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ROWS)] = USUAL_ROWS


@dataclass(frozen=True, slots=True)
class Sql:
    """A query that was read: every name stands for what it means, and all of it is allowed."""

    tree: exp.Query
    parameters: Mapping[str, Value]
    limit: int
    now: int
    """What `now()` is, ms since 1970 UTC."""
    document: bytes

    def canonical(self) -> tuple[object, ...]:
        """What the answer depends on, besides the events; `now()` moves by the second."""
        moving = any(self.tree.find_all(exp.CurrentTimestamp))
        return self.document.decode(), self.now // 1000 if moving else 0


_GRAMMAR = Grammar(SqlDocument)


def read_sql(body: bytes, now: int) -> Sql:
    """The query in a request. Raises InvalidInput, of which InvalidSql and SqlNotAllowed."""
    document = _GRAMMAR.read(body)
    tree = _parsed(document.query)
    _name_now(tree)
    _name_columns(tree)
    checking.check(tree)
    _check_parameters(tree, document.parameters)
    return Sql(
        _qualified(tree),
        document.parameters,
        document.limit,
        now,
        msgspec.json.encode(document),
    )


def _parsed(text: str) -> exp.Query:
    try:
        _check_size(sqlglot.tokenize(text, read="duckdb"))
        trees = [tree for tree in sqlglot.parse(text, read="duckdb") if tree is not None]
    except ParseError as error:
        raise _unreadable(error) from None
    except (TokenError, SqlglotError) as error:
        raise InvalidSql(f"the query cannot be read: {_first_line(error)}") from None
    except RecursionError:
        raise InvalidSql("the query is nested too deeply") from None
    if len(trees) != 1:
        raise SqlNotAllowed("one statement at a time" if trees else "there is no statement")
    if not isinstance(trees[0], exp.Select | exp.SetOperation | exp.Subquery):
        raise SqlNotAllowed.at(checking.place_of(trees[0]), "only SELECT is allowed here")
    return trees[0]


def _name_now(tree: exp.Expr) -> None:
    """`now()` is a function that the parser does not know in this dialect."""
    for node in list(tree.find_all(exp.Anonymous)):
        if node.name.lower() == "now" and not node.expressions:
            now = exp.CurrentTimestamp()
            now.meta.update(node.meta)
            node.replace(now)


def _name_columns(tree: exp.Expr) -> None:
    """Name what is selected and has no name. The qualifier would take a text for its name."""
    for select in tree.find_all(exp.Select):
        for number, node in enumerate(select.expressions, start=1):
            if not isinstance(node, exp.Alias | exp.Column | exp.Star):
                node.replace(exp.alias_(node.copy(), f"column{number}"))


def _tell_apart(tree: exp.Expr) -> None:
    """Number the names in a list that are there already: an engine would mix them up."""
    for select in tree.find_all(exp.Select):
        seen: Counter[str] = Counter()
        for node in select.expressions:
            seen[node.alias] += 1
            if isinstance(node, exp.Alias) and seen[node.alias] > 1:
                node.set(
                    "alias", exp.to_identifier(f"{node.alias}_{seen[node.alias]}", quoted=True)
                )


def _check_size(tokens: Sequence[Any]) -> None:
    if len(tokens) > MOST_TOKENS:
        raise InvalidSql(f"the query has more than {MOST_TOKENS} words and signs")
    depth = 0
    for token in tokens:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
        depth += {"CASE": 1, "END": -1}.get(token.text.upper(), 0)
        if depth > DEEPEST:
            about = f"brackets are nested more than {DEEPEST} deep"
            raise InvalidSql.at((token.line, token.col), about)


def _check_parameters(tree: exp.Expr, given: Mapping[str, Value]) -> None:
    named = {node.name: node for node in tree.find_all(exp.Placeholder)}
    for name, node in named.items():
        if name not in given:
            about = f"the parameter ${name} has no value in `parameters`"
            raise InvalidSql.at(checking.place_of(node), about)
    for name, value in given.items():
        if name not in named:
            raise InvalidInput(f"the query has no ${name}", f"parameters.{name}")
        if isinstance(value, int) and not -_WHOLE <= value < _WHOLE:
            raise InvalidInput("a whole number has 64 bits", f"parameters.{name}")


def _qualified(tree: exp.Query) -> exp.Query:
    """The same query with every column named in full and no `*` left."""
    try:
        found = qualify(
            tree.copy(),
            schema={name: dict(columns) for name, columns in TABLES.items()},
            dialect="duckdb",
            identify=True,
            quote_identifiers=True,
        )
    except OptimizeError as error:
        raise _unresolved(tree, error) from None
    except (SqlglotError, RecursionError) as error:
        raise InvalidSql(f"the query makes no sense: {_first_line(error)}") from None
    assert isinstance(found, exp.Query)
    _tell_apart(found)
    checking.check_columns(found)
    return found


def _unreadable(error: ParseError) -> InvalidSql:
    [first, *_] = error.errors or [{}]
    about = str(first.get("description") or "this is no SQL").rstrip(".")
    near = first.get("highlight")
    near = f", near {near[:40]!r}" if near else ""
    place = first.get("line") or 0, first.get("col") or 0
    return InvalidSql.at(place, f"{about}{near}")


def _unresolved(tree: exp.Expr, error: OptimizeError) -> InvalidSql:
    """What the qualifier could not resolve, with the place in the text that the user wrote."""
    about = _first_line(error)
    for column in tree.find_all(exp.Column):
        if f"'{column.name.lower()}'" in about.lower() or f'"{column.name}"' in about:
            known = sorted({name for columns in TABLES.values() for name in columns})
            close = get_close_matches(column.name.lower(), known, 1)
            meant = f"; did you mean {close[0]}?" if close else ""
            return InvalidSql.at(
                checking.place_of(column),
                f"there is no column {column.sql()} here, or more than one{meant}",
            )
    return InvalidSql(about)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["?"])[0].split(". Line")[0][:200]

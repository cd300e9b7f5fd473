"""Reads `api_config.json`: `${NAME}` from the environment, errors that point at the line."""

import json
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

import msgspec

from service.delivery.columns import Column
from service.delivery.config import AUTHENTICATIONS, Api, Config, Reported, Table
from service.delivery.config import Mapping as FieldMapping
from service.errors import InvalidInput

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([{}\[\],:])|([^\s{}\[\],:"]+))')
_SHARED = ("$schema", "api_mappings", "columns", "report", "csv")

Path = tuple[str | int, ...]
Part = TypeVar("Part")


def read_config(text: str, variables: Mapping[str, str] | None, name: str) -> Config:
    """The configuration that a text holds. Raises InvalidInput, with the line.

    Either APIs by their names, or one API by itself, which is called `default`. Without an
    environment, `${NAME}` is refused.
    """
    document = _Document(text, variables, name)
    top = document.top
    if not isinstance(top, dict):
        raise document.wrong((), "expected an object with the APIs in it")
    if "base_url" in top:
        alone = {key: value for key, value in top.items() if key not in _SHARED}
        apis = {"default": document.part(alone, Api, ())}
    else:
        named = {key: value for key, value in top.items() if key not in _SHARED}
        apis = {key: document.part(value, Api, (key,)) for key, value in named.items()}
    if not apis:
        raise document.wrong((), "there is no API in it")
    return Config(
        apis=apis,
        api_mappings=document.each("api_mappings", FieldMapping),
        columns=document.each("columns", Column),
        report=document.part(top.get("report", {}), Reported, ("report",)),
        csv=document.part(top.get("csv", {}), Table, ("csv",)),
    )


class _Document:
    """A JSON text that knows on which line each of its values stands."""

    def __init__(self, text: str, variables: Mapping[str, str] | None, name: str) -> None:
        self._name = name
        try:
            parsed = json.loads(text, object_pairs_hook=self._object)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise InvalidInput(f"{name}, {where}: {error.msg}") from None
        except RecursionError:
            raise InvalidInput(f"{name}: nested too deep") from None
        self._lines = lines_of(text)
        self.top = self._filled(parsed, variables, ())

    def part(self, value: Any, kind: Callable[..., Part], at: Path) -> Part:
        """A part of the document as a `kind`. Raises InvalidInput."""
        try:
            return msgspec.convert(value, kind)  # type: ignore[no-any-return]
        except msgspec.ValidationError as error:
            reason, _, where = str(error).partition(" - at `$")
            steps = _path(where.removesuffix("`"))
            path = at + steps
            if found := _UNKNOWN.search(reason):
                path += (found[1],)
                reason = f"there is no such setting{_near(found[1], kind, steps)}"
            elif path[-2:] == ("authentication", "type"):
                reason += f"; there are: {', '.join(AUTHENTICATIONS)}"
            raise self.wrong(path, reason) from None

    def each(self, key: str, kind: Any) -> dict[str, Any]:
        """The parts by name below a key of the top."""
        parts = self.top.get(key, {})
        if not isinstance(parts, dict):
            raise self.wrong((key,), "expected an object")
        return {name: self.part(part, kind, (key, name)) for name, part in parts.items()}

    def wrong(self, path: Path, reason: str) -> InvalidInput:
        """The error at a place, or at the nearest place around it that is known."""
        known = path
        while known and known not in self._lines:
            known = known[:-1]
        shown = ".".join(str(step) for step in path)
        where = f"{self._name}, line {self._lines.get(known, 1)}"
        return InvalidInput(f"{where}{f', {shown}' if shown else ''}: {reason}", shown or None)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise InvalidInput(f"{self._name}: {twice!r} stands twice in one object")
        return dict(pairs)

    def _filled(self, value: Any, variables: Mapping[str, str] | None, at: Path) -> Any:
        """The value with what `${NAME}` stands for in its texts."""
        if isinstance(value, dict):
            return {key: self._filled(inner, variables, (*at, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner, variables, (*at, n)) for n, inner in enumerate(value)]
        if not isinstance(value, str):
            return value

        def told(found: re.Match[str]) -> str:
            if variables is None:
                raise self.wrong(at, f"{found[0]}: variables have no meaning here")
            if found[1] not in variables:
                raise self.wrong(at, f"the environment has no variable {found[1]}")
            return variables[found[1]]

        return _VARIABLE.sub(told, value)


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of each value of a valid JSON text, by its path; of a member its key's."""
    found: dict[Path, int] = {}
    at: list[str | int] = []
    depths: list[int] = []
    line, end, key_next = 1, 0, False
    for token in _TOKEN.finditer(text):
        start = token.start(token.lastindex or 0)
        line += text.count("\n", end, start)
        end, sign = start, token[2]
        if sign in ("}", "]"):
            del at[depths.pop() :]
        elif sign == ",":
            last = at.pop()
            key_next = isinstance(last, str)
            at += [] if isinstance(last, str) else [last + 1]
        elif key_next and token[1]:
            at.append(json.loads(token[1]))
            found[tuple(at)] = line
            key_next = False
        elif sign != ":":
            found.setdefault(tuple(at), line)
            if sign in ("{", "["):
                depths.append(len(at))
                key_next = sign == "{"
                at += [] if key_next else [0]
    return found


def _path(shown: str) -> Path:
    """`.settings.retry_on_status[2]` as a path; of the key of a mapping msgspec tells nothing."""
    steps: list[str | int] = []
    for name, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", shown):
        steps.append(name or int(index))
    return tuple(steps)


def _near(name: str, kind: Any, steps: Path) -> str:
    """The setting that was meant, if one is near."""
    for step in steps:
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        kind = fields.get(str(step), kind)
    kinds = get_args(kind) or (kind,)
    names = sorted({field.encode_name for one in kinds for field in msgspec.structs.fields(one)})
    near = get_close_matches(name, names, 1)
    return f"; did you mean `{near[0]}`?" if near else f"; there are: {', '.join(names)}"

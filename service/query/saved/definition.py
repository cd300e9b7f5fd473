"""What a saved question says: a question's document with places for parameters, and these.

`{"param": "country"}` stands where the value of the parameter `country` is to stand. A value has
the type that the parameter declares, and becomes a value of the document before the document is
read: what it may be is what the question's grammar lets stand there, and nothing of it runs.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.errors import InvalidInput
from service.query.journeys.kinds import KINDS as JOURNEYS
from service.query.language.decoding import Grammar
from service.query.language.fields import meant, shown
from service.query.language.reading import read_question

Kind = Literal["text", "number", "boolean", "texts", "numbers"]

QUERY = "query"
READ: Mapping[str, Callable[[bytes, int], Any]] = {QUERY: read_question, **JOURNEYS}
"""The kinds of questions that may be saved, and how each is read."""

KEPT = (60, 300, 900, 3600)
"""Seconds that answers may be kept, beside as long as all are."""
OURS = ("after", "cursor", "every", "format", "lastEventId", "saved", "ticket", "what")
"""What no parameter may be called: these are said of the request."""

_Name = Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9_]{0,49}$")]
_STAND_INS: Mapping[Kind, Any] = {
    "text": "x",
    "number": 1,
    "boolean": True,
    "texts": ["x"],
    "numbers": [1],
}


class Parameter(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """A parameter; one without a `default` has to be given."""

    type: Kind
    default: Any | UnsetType = UNSET
    allowed: tuple[Any, ...] | UnsetType = UNSET
    """The values that it may have (each of a list's); any, if this is left out."""
    description: Annotated[str, Meta(max_length=1000)] = ""


class Definition(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="camel", omit_defaults=True
):
    """A question that is saved."""

    question: dict[str, Any]
    kind: str = QUERY
    parameters: Annotated[dict[_Name, Parameter], Meta(max_length=20)] = {}
    cache_seconds: int | None = None
    description: Annotated[str, Meta(max_length=1000)] = ""


_GRAMMAR = Grammar(Definition)
_encode = msgspec.json.Encoder().encode


def read_definition(body: bytes, now_ms: int) -> Definition:
    """A definition that can be answered. Raises InvalidInput, which names the place."""
    found = _GRAMMAR.read(body)
    if found.kind not in READ:
        there = f"there are {', '.join(READ)}"
        raise InvalidInput(f"`kind`: there is no {shown(found.kind)}; {there}", "kind")
    if found.cache_seconds not in (None, *KEPT):
        allowed = ", ".join(map(str, KEPT))
        raise InvalidInput(f"`cacheSeconds` must be one of {allowed}, or null", "cacheSeconds")
    _check_parameters(found)
    _check_question(found, now_ms)
    return found


def written(definition: Definition) -> str:
    """The definition as it is kept."""
    return _encode(definition).decode()


@lru_cache(1000)
def kept(text: str) -> Definition:
    """The definition that was kept as this text."""
    return msgspec.json.decode(text, type=Definition)


def question_with(definition: Definition, given: Mapping[str, str], now_ms: int) -> Any:
    """The question with these parameters, `cursor` among them. Raises InvalidInput by name."""
    known = definition.parameters
    for name in given:
        if name not in known and name != "cursor":
            there = ", ".join([*known, "cursor", "after", "format"])
            near = meant(name, known)
            raise InvalidInput(f"`{name}` is not a parameter here{near}; there are {there}", name)
    values = {name: _value(name, known[name], given.get(name)) for name in known}
    document = _filled(definition.question, values)
    if "cursor" in given:
        document = {**document, "cursor": given["cursor"]}
    try:
        return READ[definition.kind](_encode(document), now_ms)
    except InvalidInput as error:
        places = dict(_places(definition.question))
        if error.field not in places:
            raise
        name = places[error.field]
        raise InvalidInput(f"`{name}`: {error}", name) from None


def _check_parameters(definition: Definition) -> None:
    places = list(_places_of(definition))
    for name, parameter in definition.parameters.items():
        place = f"parameters.{name}"
        if name in OURS:
            raise InvalidInput(f"`{place}`: a parameter may not be called {name}", place)
        if name not in {used for _, used in places}:
            raise InvalidInput(f'`{place}`: no {{"param": "{name}"}} is in the question', place)
        if parameter.allowed is not UNSET:
            for number, value in enumerate(parameter.allowed):
                _check_kind(value, _one(parameter.type), f"{place}.allowed[{number}]")
        if parameter.default is not UNSET:
            _check_kind(parameter.default, parameter.type, f"{place}.default")
            _check_allowed(parameter.default, parameter, f"{place}.default")
    for place, name in places:
        if name not in definition.parameters:
            about = f"there is no parameter {shown(name)}{meant(name, definition.parameters)}"
            raise InvalidInput(f"`question.{place}`: {about}", f"question.{place}")


def _check_question(definition: Definition, now_ms: int) -> None:
    """Whether it can be read; what a value that has to be given is, is judged when it is."""
    parameters = definition.parameters
    values = {name: _usual(parameter) for name, parameter in parameters.items()}
    open_places = {
        place
        for place, name in _places(definition.question)
        if parameters[name].default is UNSET and parameters[name].allowed is UNSET
    }
    try:
        READ[definition.kind](_encode(_filled(definition.question, values)), now_ms)
    except InvalidInput as error:
        if error.field not in open_places:
            field = f"question.{error.field}" if error.field else "question"
            raise InvalidInput(f"`question`: {error}", field) from None


def _usual(parameter: Parameter) -> Any:
    if parameter.default is not UNSET:
        return parameter.default
    if parameter.allowed is not UNSET and parameter.allowed:
        first = parameter.allowed[0]
        return [first] if parameter.type.endswith("s") else first
    return _STAND_INS[parameter.type]


def _value(name: str, parameter: Parameter, text: str | None) -> Any:
    if text is None:
        if parameter.default is UNSET:
            raise InvalidInput(f"`{name}` is missing: it is a {parameter.type}", name)
        return parameter.default
    found = _parsed(name, parameter.type, text)
    _check_allowed(found, parameter, name)
    return found


def _parsed(name: str, kind: Kind, text: str) -> Any:
    if kind in {"texts", "numbers"}:
        return [_parsed(name, _one(kind), part) for part in _parts(name, text)]
    if kind == "text":
        return text
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    try:
        found = msgspec.json.decode(text, type=int | float, strict=True)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        found = math.nan
    if kind == "boolean" or not math.isfinite(found):
        allowed = "true or false" if kind == "boolean" else "a number"
        raise InvalidInput(f"`{name}` must be {allowed}", name)
    return found


def _parts(name: str, text: str) -> Sequence[str]:
    """The values of a list: between commas, or a JSON list where values have commas."""
    if not text.startswith("["):
        return text.split(",")
    try:
        found = msgspec.json.decode(text, type=list[str | int | float])
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise InvalidInput(f"`{name}` is no JSON list of texts or numbers", name) from None
    return [part if isinstance(part, str) else _encode(part).decode() for part in found]


def _check_kind(value: Any, kind: Kind, place: str) -> None:
    if kind in {"texts", "numbers"}:
        if not isinstance(value, list) or not value:
            raise InvalidInput(f"`{place}` must be a list of {kind}", place)
        for number, one in enumerate(value):
            _check_kind(one, _one(kind), f"{place}[{number}]")
        return
    types = {"text": (str,), "boolean": (bool,)}.get(kind, (int, float))
    if type(value) not in types:
        raise InvalidInput(f"`{place}` must be a {kind}", place)


def _check_allowed(value: Any, parameter: Parameter, name: str) -> None:
    if parameter.allowed is UNSET:
        return
    for one in value if isinstance(value, list) else [value]:
        if one not in parameter.allowed:
            allowed = ", ".join(map(str, parameter.allowed))
            near = meant(str(one), [str(known) for known in parameter.allowed])
            raise InvalidInput(f"`{name}` must be one of {allowed}{near}", name)


def _one(kind: Kind) -> Kind:
    """The kind of a list's values."""
    return "text" if kind in {"text", "texts"} else "boolean" if kind == "boolean" else "number"


def _filled(part: Any, values: Mapping[str, Any]) -> Any:
    if (name := _param(part)) is not None:
        return values[name]
    if isinstance(part, dict):
        return {key: _filled(value, values) for key, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, values) for value in part]
    return part


def _places_of(definition: Definition) -> Iterator[tuple[str, str]]:
    try:
        yield from _places(definition.question)
    except RecursionError:
        raise InvalidInput("`question` is nested too deep", "question") from None


def _places(part: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Where parameters stand, and which."""
    if (name := _param(part)) is not None:
        yield place, name
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _places(value, f"{place}.{key}" if place else key)
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from _places(value, f"{place}[{number}]")


def _param(part: Any) -> str | None:
    """The parameter whose place this is."""
    is_place = isinstance(part, dict) and part.keys() == {"param"}
    return part["param"] if is_place and isinstance(part["param"], str) else None

"""From the bytes of a document to its form, and what is said of a form that is wrong.

What is wrong is InvalidInput, which names its place in the document, like `filters[0].op`, says
what is allowed there, and what may have been meant.
"""

import re
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec
from msgspec import inspect

from service.errors import InvalidInput
from service.query.language import words
from service.query.language.fields import meant, shown

_PLACE = re.compile(r" - at `\$\.?(?P<place>[^`]*)`$")
_STEP = re.compile(r"(\w+)|\[[^]]*\]")
_WRONG_VALUE = re.compile(r"Invalid (?:enum )?value '(?P<value>.*)'", re.S)
_UNKNOWN = re.compile(r"unknown field `(?P<field>.*)`", re.S)
_MISSING = re.compile(r"missing required field `(?P<field>.*)`")

Document = TypeVar("Document", bound=msgspec.Struct)


class Grammar(Generic[Document]):
    """Reads documents of one form."""

    def __init__(self, form: type[Document]) -> None:
        self._form = inspect.type_info(form)
        self._decode = msgspec.json.Decoder(form).decode

    def read(self, body: bytes) -> Document:
        """The document. Raises InvalidInput."""
        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            raise self._wrong(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidInput("the body is not valid JSON") from None

    def _wrong(self, text: str) -> InvalidInput:
        """What the decoder says, with the place first and what is allowed there."""
        found = _PLACE.search(text)
        place = found["place"] if found else ""
        about = _PLACE.sub("", text)
        if unknown := _UNKNOWN.search(about):
            return _unknown(_joined(place, unknown["field"]), unknown["field"], self._fields(place))
        if missing := _MISSING.search(about):
            whole = _joined(place, missing["field"])
            return InvalidInput(f"`{whole}` is missing", whole)
        if (value := _WRONG_VALUE.search(about)) and (allowed := self._allowed(place)):
            kind = "filter" if place.endswith("op") else "such value as"
            about = (
                f"there is no {kind} {shown(value['value'])}{meant(value['value'], allowed)}; "
                f"there are {', '.join(allowed)}"
            )
        return InvalidInput(f"`{place or 'body'}`: {about}", place or None)

    def _allowed(self, place: str) -> Sequence[str]:
        """The words that may stand at a place, if it is one of few."""
        if place.endswith("op"):
            return words.operators()
        for kind in self._kinds(place):
            if isinstance(kind, inspect.LiteralType):
                return [str(value) for value in kind.values]
        return ()

    def _fields(self, place: str) -> Sequence[str]:
        """The fields of the object at a place, if there is one form for it."""
        kinds = self._kinds(place)
        objects = [kind for kind in kinds if isinstance(kind, inspect.StructType)]
        return [field.encode_name for field in objects[0].fields] if len(objects) == 1 else ()

    def _kinds(self, place: str) -> Sequence[inspect.Type]:
        kinds: Sequence[inspect.Type] = [self._form]
        for step in _STEP.finditer(place):
            kinds = [inner for kind in kinds for inner in _inside(kind, step[1])]
        return kinds


def _inside(kind: inspect.Type, name: str | None) -> Sequence[inspect.Type]:
    """What stands under a name in an object, or in a list."""
    if name is None:
        return _each(kind.item_type) if isinstance(kind, inspect.VarTupleType) else ()
    if not isinstance(kind, inspect.StructType):
        return ()
    return [one for field in kind.fields if field.encode_name == name for one in _each(field.type)]


def _each(kind: inspect.Type) -> Sequence[inspect.Type]:
    return kind.types if isinstance(kind, inspect.UnionType) else [kind]


def _unknown(place: str, field: str, allowed: Sequence[str]) -> InvalidInput:
    there = f"; there are {', '.join(allowed)}" if allowed else ""
    return InvalidInput(f"`{place}`: there is no such field{meant(field, allowed)}{there}", place)


def _joined(place: str, field: str) -> str:
    return f"{place}.{field}" if place else field

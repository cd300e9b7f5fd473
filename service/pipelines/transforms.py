"""What is done to messages before their columns are drawn: filter, flatten, rename, hash, mask.

    [{"type": "filter", "path": "$.kind", "op": "eq", "value": "order"},
     {"type": "mask", "paths": ["$.card"], "keep": 4}]

They run in their order, each over all messages of a frame. A message that one of them cannot do is
refused with the reason.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from service.errors import InvalidInput
from service.pipelines.paths import Path

MOST = 20
_DEEPEST = 64
_LONGEST_MASK = 64

Message = Mapping[str, Any]
_Texts = Annotated[list[str], msgspec.Meta(min_length=1, max_length=100)]


class _Tagged(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    pass


class Filter(_Tagged, frozen=True, tag="filter"):
    """Keeps messages whose value at `path` stands to `value` as `op` says; others are left out.

    A comparison of things that have no order (a text and a number, or nothing) is never true.
    """

    path: str
    op: Literal["eq", "ne", "gt", "ge", "lt", "le", "in", "exists", "contains", "starts_with"] = (
        "exists"
    )
    value: Any = None


class Flatten(_Tagged, frozen=True, tag="flatten"):
    """Objects inside a message become members of it: `{"a": {"b": 1}}` becomes `{"a_b": 1}`."""

    separator: Annotated[str, msgspec.Meta(min_length=1, max_length=10)] = "_"


class Rename(_Tagged, frozen=True, tag="rename"):
    """Members of the message get other names: `{"names": {"old": "new"}}`."""

    names: Annotated[dict[str, str], msgspec.Meta(min_length=1, max_length=1000)]


class Hash(_Tagged, frozen=True, tag="hash"):
    """Values become their HMAC-SHA256 under `salt`, in hex: equal values stay equal."""

    paths: _Texts
    salt: Annotated[str, msgspec.Meta(max_length=255)] = ""


class Mask(_Tagged, frozen=True, tag="mask"):
    """Of texts only the last `keep` characters stay, the others become `*`."""

    paths: _Texts
    keep: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0


Transform = Filter | Flatten | Rename | Hash | Mask


@dataclass(frozen=True, slots=True)
class Changed:
    """The messages that are left, where each stood, and those that could not be changed."""

    values: Sequence[Message]
    origins: Sequence[int]
    failed: Sequence[tuple[int, str]]


class Transforms:
    """Compiled transforms, in their order."""

    def __init__(self, config: Sequence[Mapping[str, Any]]) -> None:
        """Raises InvalidInput, naming the transform and what is wrong with it."""
        if len(config) > MOST:
            raise InvalidInput(f"at most {MOST} transforms are allowed", "transforms")
        self._steps = [_step(entry, f"transforms.{at}") for at, entry in enumerate(config)]

    def apply(self, messages: Sequence[Message]) -> Changed:
        if not self._steps:
            return Changed(messages, range(len(messages)), [])
        left: list[tuple[int, Message]] = []
        failed: list[tuple[int, str]] = []
        for number, message in enumerate(messages):
            try:
                changed = self._through(message)
            except ValueError as error:
                failed.append((number, str(error)))
            else:
                if changed is not None:
                    left.append((number, changed))
        return Changed([value for _, value in left], [number for number, _ in left], failed)

    def _through(self, message: Message) -> Message | None:
        passing: Message | None = message
        for step in self._steps:
            if passing is None:
                return None
            passing = step(passing)
        return passing


_Step = Callable[[Message], Message | None]


def _step(entry: Mapping[str, Any], field: str) -> _Step:
    try:
        transform = msgspec.convert(entry, Transform)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error), field) from None
    if isinstance(transform, Filter):
        return _filter(transform, field)
    if isinstance(transform, Flatten):
        return lambda message: dict(_flat(message, "", transform.separator, 0))
    if isinstance(transform, Rename):
        return lambda message: _renamed(message, transform.names)
    paths = [_names(text, f"{field}.paths.{at}") for at, text in enumerate(transform.paths)]
    change = _hashed(transform) if isinstance(transform, Hash) else _masked(transform)
    return lambda message: _each_changed(message, paths, change)


def _names(text: str, field: str) -> Sequence[str]:
    """The names that a path to one member goes along."""
    try:
        steps = Path(text).steps
    except InvalidInput as error:
        raise InvalidInput(str(error), field) from None
    names = [step for step in steps or [] if isinstance(step, str)]
    if not names or len(names) != len(steps or []):
        raise InvalidInput(f"{text!r} must name one member, as $.a.b does", field)
    return names


def _value(message: Any, names: Sequence[str]) -> Any:
    for name in names:
        if not isinstance(message, Mapping):
            return None
        message = message.get(name)
    return message


def _filter(transform: Filter, field: str) -> _Step:
    names, value = _names(transform.path, f"{field}.path"), transform.value
    if transform.op == "in" and not isinstance(value, list):
        raise InvalidInput("`in` needs a list", f"{field}.value")
    holds = _Comparisons.HOLDS[transform.op]

    def step(message: Message) -> Message | None:
        try:
            return message if holds(_value(message, names), value) else None
        except TypeError:
            return None

    return step


class _Comparisons:
    HOLDS: ClassVar[Mapping[str, Callable[[Any, Any], bool]]] = {
        "eq": lambda found, value: found == value,
        "ne": lambda found, value: found != value,
        "gt": lambda found, value: found > value,
        "ge": lambda found, value: found >= value,
        "lt": lambda found, value: found < value,
        "le": lambda found, value: found <= value,
        "in": lambda found, value: found in value,
        "exists": lambda found, _: found is not None,
        "contains": lambda found, value: value in found,
        "starts_with": lambda found, value: str(found).startswith(str(value)),
    }


def _flat(message: Message, before: str, separator: str, depth: int) -> Sequence[tuple[str, Any]]:
    if depth > _DEEPEST:
        raise ValueError(f"the message is nested deeper than {_DEEPEST} levels")
    found: list[tuple[str, Any]] = []
    for name, value in message.items():
        if isinstance(value, Mapping) and value:
            found += _flat(value, f"{before}{name}{separator}", separator, depth + 1)
        else:
            found.append((before + name, value))
    return found


def _renamed(message: Message, names: Mapping[str, str]) -> Message:
    renamed = {names.get(name, name): value for name, value in message.items()}
    if len(renamed) < len(message):
        raise ValueError("after renaming two members have one name")
    return renamed


def _hashed(transform: Hash) -> Callable[[Any], Any]:
    salt = transform.salt.encode()

    def change(value: Any) -> str:
        text = (
            value.encode() if isinstance(value, str) else msgspec.json.encode(value, order="sorted")
        )
        return hmac.new(salt, text, hashlib.sha256).hexdigest()

    return change


def _masked(transform: Mask) -> Callable[[Any], Any]:
    def change(value: Any) -> str:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        hidden = max(0, len(text) - transform.keep)
        return "*" * min(hidden, _LONGEST_MASK) + text[hidden:]

    return change


def _each_changed(
    message: Message, paths: Sequence[Sequence[str]], change: Callable[[Any], Any]
) -> Message:
    for names in paths:
        if (value := _value(message, names)) is not None:
            message = _with(message, names, change(value))
    return message


def _with(message: Message, names: Sequence[str], value: Any) -> Message:
    """A copy with another value there; what is not on the way is shared."""
    inner = value if len(names) == 1 else _with(message[names[0]], names[1:], value)
    return {**message, names[0]: inner}

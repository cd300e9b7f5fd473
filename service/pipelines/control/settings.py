"""What a connector is told: checked by its kind, its secrets apart from the rest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.errors import InvalidInput
from service.pipelines.connectors.protocol import Kind
from service.pipelines.connectors.registry import config_of, kind_of
from service.pipelines.control.vault import MASK

_MISSING = re.compile(r"missing required field `(\w+)`")
_UNKNOWN = re.compile(r"unknown field `(\w+)`")


@dataclass(frozen=True, slots=True)
class Told:
    """Settings as they are kept: what may be shown, and what may not."""

    settings: Mapping[str, Any]
    """With a mask for each secret."""
    secrets: Mapping[str, Any]


def kind_called(name: str, direction: str, field: str) -> Kind:
    """The kind of this name. Raises InvalidInput, naming those there are in this direction."""
    kind = kind_of(name, field)
    if kind.direction != direction:
        raise InvalidInput(f"{name} is no {direction}", field)
    return kind


def told(kind: Kind, config: Mapping[str, Any], former: Mapping[str, Any], field: str) -> Told:
    """What to keep of a configuration.

    A secret that is left out, or masked, stays as in `former`; null takes it away. Raises
    InvalidInput, naming the field in the configuration, also for a mask of nothing.
    """
    for name, value in config.items():
        if value == MASK and name in kind.secrets and name not in former:
            about = "this masks a secret that is not kept here: give the secret itself"
            raise InvalidInput(about, f"{field}.{name}")
    said = {name: value for name, value in config.items() if value is not None}
    kept = {
        name: value
        for name, value in former.items()
        if name in kind.secrets and config.get(name, MASK) == MASK
    }
    plain = {name: value for name, value in said.items() if name not in kind.secrets}
    secrets = {n: v for n, v in said.items() if n in kind.secrets and v != MASK} | kept
    check(kind, {**plain, **secrets}, field)
    return Told({**plain, **dict.fromkeys(secrets, MASK)}, secrets)


def told_masked(
    kind: Kind, config: Mapping[str, Any], former: Mapping[str, Any], field: str
) -> Told:
    """What to keep of a configuration out of another installation, where its secrets stayed.

    A masked secret that is not kept here is missing until somebody gives it. Raises InvalidInput.
    """
    missing = {n for n, v in config.items() if v == MASK and n in kind.secrets - former.keys()}
    whole = {name: value for name, value in config.items() if value is not None}
    check(kind, {**former, **whole}, field)
    secrets = {n: v for n, v in whole.items() if n in kind.secrets and v != MASK}
    secrets |= {n: former[n] for n in former if whole.get(n, MASK) == MASK}
    plain = {n: v for n, v in whole.items() if n not in kind.secrets | missing}
    return Told({**plain, **dict.fromkeys(secrets, MASK)}, secrets)


def check(kind: Kind, config: Mapping[str, Any], field: str) -> Any:
    """The configuration as the kind's own. Raises InvalidInput, naming the field in it."""
    try:
        return config_of(kind, config, field)
    except InvalidInput as error:
        found = _MISSING.search(str(error)) or _UNKNOWN.search(str(error))
        where = error.field or field
        if found and not where.endswith(f".{found[1]}"):
            where = f"{where}.{found[1]}"
        raise InvalidInput(str(error), where) from None

"""From the environment to settings, and back to what may be shown of them."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit, urlunsplit

import msgspec

from service.errors import SettingsError
from service.settings.checks import checked
from service.settings.fields import FIELDS, Settings


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings; raises SettingsError for a wrong value or an unknown HEADRACE_ name."""
    _refuse_unknown(environ)
    types = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for variable, field in FIELDS.items():
        if (text := environ.get(variable, "")) != "":
            values[field.name] = _convert(variable, text, types[field.name])
    return checked(Settings(**values))


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    for name in environ:
        if name.startswith("HEADRACE_") and name not in FIELDS and "_TEST_" not in name:
            raise SettingsError(f"{name} is not a setting; `headrace settings` lists them all")


def _convert(variable: str, text: str, kind: Any) -> Any:
    if kind is Path:
        return Path(text)
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        shown = "" if FIELDS[variable].metadata["secret"] else f" {text!r}"
        raise SettingsError(f"{variable}{shown}: {error}") from None


def passed_down(**more: str) -> dict[str, str]:
    """The environment of this process and a few variables more, for one that it starts."""
    return {**os.environ, **more}


def resolved(settings: Settings) -> dict[str, str]:
    """Every variable with its resolved value; secrets and passwords in URLs masked."""
    return {v: _shown(getattr(settings, f.name), f) for v, f in FIELDS.items()}


def _shown(value: Any, field: dataclasses.Field[Any]) -> str:
    if not field.metadata["secret"] or not value:
        return str(value).lower() if isinstance(value, bool) else str(value)
    servers = str(value).split(",") if field.name == "nats_url" else [str(value)]
    return ",".join(_masked(server.strip()) for server in servers)


def _masked(secret: str) -> str:
    """A URL without its password and its query; anything else as asterisks."""
    try:
        parts = urlsplit(secret)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        return "********"
    if parts.scheme == "chdb":
        return secret.partition("?")[0]
    if not parts.hostname:
        return "********"
    shown = f"***@{host}" if parts.username or parts.password else str(host)
    return urlunsplit((parts.scheme, shown, parts.path, "", ""))

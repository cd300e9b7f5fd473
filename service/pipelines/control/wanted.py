"""A pipeline as people write it: everything in one flat object, whose fields may be left out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from service.errors import InvalidInput
from service.pipelines.mapper import Mapper, columns_of
from service.pipelines.transforms import Transforms

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_PARTS = ("name", "type", "config")
_LONGEST = 255

_Text = str | UnsetType | None
_Flag = bool | UnsetType | None
_Object = dict[str, Any] | UnsetType | None
_List = list[dict[str, Any]] | UnsetType | None


USUAL: Mapping[str, Mapping[str, Any]] = {
    "datamodel": {
        "source_topic": None,
        "target_topic": None,
        "error_table_enabled": False,
        "error_table_name": None,
        "error_table_target_id": None,
    },
    "subscription": {
        "target_table_name": None,
        "backfill": False,
        "since": None,
        "mapper_config": None,
        "transforms": None,
        "error_table_enabled": False,
        "error_table_name": None,
        "error_table_target_id": None,
    },
}
"""The columns that may be said, and what they are without."""


class Wanted(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What shall be; null is as good as left out, but where a column may be null."""

    name: _Text = UNSET
    team_id: _Text = UNSET
    existing_source_id: _Text = UNSET
    source_name: _Text = UNSET
    source_type: _Text = UNSET
    source_config: _Object = UNSET
    existing_target_id: _Text = UNSET
    target_name: _Text = UNSET
    target_type: _Text = UNSET
    target_config: _Object = UNSET
    datamodel_source_topic: _Text = UNSET
    datamodel_target_topic: _Text = UNSET
    datamodel_error_table_enabled: _Flag = UNSET
    datamodel_error_table_name: _Text = UNSET
    datamodel_error_table_target_id: _Text = UNSET
    subscription_target_table_name: _Text = UNSET
    subscription_backfill: _Flag = UNSET
    subscription_mapper_config: _List = UNSET
    subscription_transforms: _List = UNSET
    subscription_consumer_id: _Text = UNSET
    subscription_error_table_enabled: _Flag = UNSET
    subscription_error_table_name: _Text = UNSET
    subscription_error_table_target_id: _Text = UNSET

    def connector(self, side: str) -> dict[str, Any]:
        """What is said of the `source` or `target`: `existing`, or some of name, type and config.

        Raises InvalidInput when it is both.
        """
        said = {part: getattr(self, f"{side}_{part}") for part in _PARTS}
        said = {"existing": getattr(self, f"existing_{side}_id"), **said}
        said = {part: value for part, value in said.items() if value not in (UNSET, None)}
        if "existing" in said and len(said) > 1:
            about = f"give either existing_{side}_id, or {side}_name, {side}_type and {side}_config"
            raise InvalidInput(f"{about}; not both", f"existing_{side}_id")
        return said

    def whole(self) -> "Wanted":
        """The same, with all that is left out as in a new pipeline; but connectors stay.

        Raises InvalidInput without a name.
        """
        check_pipeline_name(self.name)
        usual = {
            f"{part}_{name}": value
            for part, columns in USUAL.items()
            for name, value in columns.items()
            if getattr(self, f"{part}_{name}", None) is UNSET
        }
        return msgspec.structs.replace(self, **usual)

    def columns(self, part: str) -> dict[str, Any]:
        """What is said of the `datamodel` or `subscription`, by the names of the columns."""
        return columns_said(self, f"{part}_")


def columns_said(form: msgspec.Struct, prefix: str = "", field: str = "") -> dict[str, Any]:
    """The fields with this prefix that were said, as columns.

    Raises InvalidInput; `field` is where the form stands.
    """
    place = f"{field}." if field else prefix
    fields = msgspec.structs.asdict(form)
    said = {
        name.removeprefix(prefix): value
        for name, value in fields.items()
        if name.startswith(prefix) and value is not UNSET
    }
    for name in ("backfill", "error_table_enabled"):
        if name in said:
            said[name] = bool(said[name])
    for name, value in said.items():
        if isinstance(value, str) and not 1 <= len(value) <= _LONGEST:
            raise InvalidInput(f"a text of 1 to {_LONGEST} characters", f"{place}{name}")
    if said.get("mapper_config"):
        check_mapper(said["mapper_config"], f"{place}mapper_config")
    check_transforms(said.get("transforms") or (), place)
    return said


def new_connector(said: Mapping[str, Any], side: str) -> None:
    """Raises InvalidInput when a part of a new connector is missing."""
    for part in _PARTS:
        if part not in said:
            field = f"{side}_{part}"
            raise InvalidInput(f"Object missing required field `{field}`", field)


def check_pipeline_name(name: object) -> str:
    """The name of a pipeline. Raises InvalidInput."""
    if name in (UNSET, None):
        raise InvalidInput("Object missing required field `name`", "name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInput("a name has 1 to 255 letters, digits, hyphens and underscores", "name")
    return name


def check_transforms(config: Sequence[Mapping[str, Any]], place: str) -> None:
    """Raises InvalidInput for transforms that cannot work, naming the one."""
    try:
        Transforms(config)
    except InvalidInput as error:
        raise InvalidInput(str(error), f"{place}{error.field}") from None


def check_mapper(config: Sequence[Mapping[str, Any]], field: str) -> None:
    """Raises InvalidInput for a mapper that cannot work, naming the column."""
    try:
        tables = columns_of(config)
        if len(tables) != 1:
            raise InvalidInput("a subscription has one table: make one for each", "config")
        Mapper(tables[0])
    except InvalidInput as error:
        where = (error.field or "config").removeprefix("config")
        raise InvalidInput(str(error), f"{field}{where}") from None

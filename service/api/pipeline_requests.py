"""What faces are asked about pipelines alike: which one, what it shall be, that it shall end."""

from contextlib import suppress
from typing import Any

from litestar import Request

from service.errors import IngestionUnavailable
from service.pipelines.control.pipelines import Pipelines
from service.pipelines.control.reach import Reach
from service.pipelines.control.wanted import Wanted
from service.pipelines.insight import Insight

LARGEST = 256 * 1024
"""Bytes of a connector or a pipeline."""
_TEXT = {"type": ["string", "null"]}
_OBJECT = {"type": ["object", "null"]}
_FLAG = {"type": ["boolean", "null"]}
_LIST = {"type": ["array", "null"], "items": {"type": "object"}}


def _schema_of(name: str) -> dict[str, Any]:
    if name == "name":
        return {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,255}$"}
    if name in {"subscription_mapper_config", "subscription_transforms"}:
        return _LIST
    if name.endswith("_config"):
        return _OBJECT
    return _FLAG if name.endswith(("_enabled", "_backfill")) else _TEXT


CHANGED: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {name: _schema_of(name) for name in Wanted.__struct_fields__},
}
"""A pipeline as it is written, as JSON Schema, every field of it optional."""


def pipeline_id_of(request: Request[Any, Any, Any]) -> str:
    """The pipeline that the path names."""
    return str(request.scope["path_params"]["pipeline_id"])


async def end_pipeline(
    reach: Reach, pipeline_id: str, pipelines: Pipelines, insight: Insight
) -> None:
    """Delete a pipeline, and what the broker holds of it. Raises as `Pipelines.delete` does."""
    gone = await pipelines.delete(reach, pipeline_id)
    with suppress(IngestionUnavailable):  # then it stays on the broker, of use to nobody
        await insight.forget(gone)

"""The connector that docs/connectors.md shows works as it stands there."""

import re
from pathlib import Path

import pytest

from service.errors import TargetUnavailable
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.connectors.registry import config_of
from service.pipelines.model import Outgoing, Place

DOCUMENT = Path(__file__).parents[2] / "docs" / "connectors.md"


def the_example():
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.S)
    names = {"__name__": "example"}
    exec(compile(code, str(DOCUMENT), "exec"), names)
    return names["KIND"]


async def test_the_example_writes_records(tmp_path) -> None:
    kind = the_example()
    config = config_of(kind, {"path": str(tmp_path / "lines")})
    target = await kind.open_target(config, Surroundings("t"))
    assert await target.write([Outgoing(Place(1, n), {"n": n}) for n in range(2)]) == []
    assert (tmp_path / "lines").read_text() == '{"n":0}\n{"n":1}\n'
    assert await target.written() is None


async def test_the_example_says_when_it_cannot_write(tmp_path) -> None:
    kind = the_example()
    config = config_of(kind, {"path": str(tmp_path)})
    target = await kind.open_target(config, Surroundings("t"))
    with pytest.raises(TargetUnavailable, match="directory"):
        await target.write([Outgoing(Place(1, 0), {})])

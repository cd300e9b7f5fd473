"""A real broker for the contracts of the stream."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.stream.jetstream import JetStream, open_jetstream
from service.stream.nats_child import NatsChild


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[NatsChild]:
    child = NatsChild(tmp_path / "stream")
    await child.start()
    yield child
    await child.stop()


@pytest.fixture
async def stream(broker: NatsChild) -> AsyncIterator[JetStream]:
    opened = await open_jetstream(broker.url, 1 << 28, 120)
    yield opened
    await opened.close()

"""Secrets of connectors: sealed in their rows, opened for the workers, shown to nobody."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select, update

from service.accounts.sealing import Sealing
from service.database import Database
from service.errors import SealBroken
from service.pipelines.control.tables import connectors
from service.telemetry import log

MASK = "********"
"""What stands in place of a secret that is set. Sent back, it leaves the secret as it is."""


class Vault:
    """Seals the secrets of a connector as one document, bound to its row."""

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing

    def seal(self, connector_id: str, secrets: Mapping[str, Any]) -> str | None:
        """None where there is nothing to seal."""
        if not secrets:
            return None
        return self._sealing.seal(msgspec.json.encode(secrets), _place_of(connector_id))

    def open(self, connector_id: str, sealed: str | None) -> dict[str, Any]:
        """Raises SealBroken."""
        if sealed is None:
            return {}
        text = self._sealing.open(sealed, _place_of(connector_id))
        return msgspec.json.decode(text, type=dict[str, Any])

    async def seal_again(self, database: Database) -> int:
        """Seal anew what a former SECRET_KEY sealed; how many connectors."""
        asked = select(connectors.c.id, connectors.c.secrets).where(
            connectors.c.secrets.is_not(None)
        )
        again = 0
        async with database.writing() as connection:
            for connector_id, sealed in (await connection.execute(asked)).all():
                if self._sealing.is_newest(sealed):
                    continue
                if (secrets := self._opened(connector_id, sealed)) is not None:
                    mine = update(connectors).where(connectors.c.id == connector_id)
                    text = self.seal(connector_id, secrets)
                    await connection.execute(mine.values(secrets=text))
                    again += 1
        return again

    def _opened(self, connector_id: str, sealed: str) -> dict[str, Any] | None:
        try:
            return self.open(connector_id, sealed)
        except SealBroken as error:
            log().error("pipelines.seal_broken", of=connector_id, reason=str(error))
            return None


def _place_of(connector_id: str) -> str:
    return f"connectors/{connector_id}/secrets"

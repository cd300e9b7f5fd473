"""How a user's erasure is asked for: of whom nothing is known, nothing is to be erased."""

from service.accounts.audit import Actor
from service.accounts.erasures import Erasure, Erasures
from service.erased import digest_of_user, key_of
from service.errors import NotFound
from service.storage.mark import Mark
from service.storage.protocol import EPOCH_SHIFT, EventStore, Statement
from service.stream.protocol import Stream

CATCH_UP = 5.0
"""Seconds to wait for the store to have what the stream has, before a user counts as unknown."""


class Forgetting:
    """Takes requests for erasures; whoever writes to the store carries them out."""

    def __init__(self, erasures: Erasures, store: EventStore, stream: Stream, mark: Mark) -> None:
        self.erasures = erasures
        self._store = store
        self._stream = stream
        self._mark = mark

    async def ask(self, tenant: str, user_id: str, by: Actor) -> Erasure:
        """Have a user erased; asked again, the erasure that there is.

        Raises NotFound for a user of whom nothing is known, and nothing was erased.
        """
        former = await self.erasures.latest_of(tenant, user_id)
        if former and former.erased_at is None:
            return former
        if await self._may_know(tenant, user_id):
            return await self.erasures.ask(tenant, user_id, by)
        if former:
            return former
        raise NotFound("nothing is known of this user")

    async def _may_know(self, tenant: str, user_id: str) -> bool:
        """Whether there may be anything of a user: in the store, or still on its way there."""
        if await self._holds(tenant, user_id):
            return True
        return not await self._caught_up() or await self._holds(tenant, user_id)

    async def _holds(self, tenant: str, user_id: str) -> bool:
        asked = kept_of(tenant, [user_id])
        [kept] = await self._store.fetch(asked)
        return bool(kept.num_rows)

    async def _caught_up(self) -> bool:
        try:
            state = await self._stream.state()
        except OSError:
            return False
        position = self._mark.progress.epoch << EPOCH_SHIFT | state.last_sequence
        return await self._mark.wait(position, CATCH_UP)


def kept_of(tenant: str, user_ids: list[str]) -> Statement:
    """The question how much is kept of some users."""
    return Statement("kept_of_users", values_of(tenant, user_ids))


def values_of(tenant: str, user_ids: list[str]) -> dict[str, object]:
    """How statements name some users of an environment."""
    keys = [key_of(digest_of_user(tenant, user_id)) for user_id in user_ids]
    return {"tenant": tenant, "users": user_ids, "user_keys": keys}

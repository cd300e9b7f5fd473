"""STREAM_SOURCE over a stream in memory: what is its alone."""

import pytest

from service.erased import Reach, digest_of_user
from service.errors import AccountsUnavailable, SourceUnavailable
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.connectors.registry import config_of, kind_of
from tests.building import TENANT, a_message, an_event
from tests.storing import AStream

KIND = kind_of("STREAM_SOURCE")


class Holding(AStream):
    """A stream of these messages."""

    def __init__(self, *messages) -> None:
        super().__init__(messages[-1].sequence)
        self._messages = messages

    async def read(self, after, most, wait):
        return [one for one in self._messages if one.sequence > after][:most]


async def a_source(*messages, erasures=None):
    around = Surroundings(TENANT, "p", events=Holding(*messages), erasures=erasures)
    return await KIND.open_source(config_of(KIND, {"start": "first"}), around)


def erased(user, until):
    async def reaches():
        return [Reach(TENANT, digest_of_user(TENANT, user), until)]

    return reaches


async def test_events_of_an_erased_user_are_left_out_and_later_ones_are_not() -> None:
    early = a_message(1, an_event("e1", user_id="ada"), an_event("e2", user_id="bob"))
    source = await a_source(early, erasures=erased("ada", until=1))
    taken = await source.read(None, 10, 0)
    assert [one.value["event_id"] for one in taken.messages] == ["e2"]
    source = await a_source(early, erasures=erased("ada", until=0))
    taken = await source.read(None, 10, 0)
    assert [one.value["event_id"] for one in taken.messages] == ["e1", "e2"]


async def test_a_frame_that_ends_inside_a_message_goes_on_behind_the_erased() -> None:
    users = ["ada", "bob", "ada", "eve"]
    message = a_message(1, *(an_event(f"e{n}", user_id=u) for n, u in enumerate(users)))
    source = await a_source(message, erasures=erased("ada", until=1))
    first = await source.read(None, 2, 0)
    second = await source.read(first.cursor, 2, 0)
    found = [one.value["event_id"] for one in [*first.messages, *second.messages]]
    assert found == ["e1", "e3"]


async def test_nothing_is_read_while_it_is_unknown_who_was_erased() -> None:
    async def away():
        raise AccountsUnavailable("the database is away")

    source = await a_source(a_message(1, "e1"), erasures=away)
    with pytest.raises(SourceUnavailable):
        await source.read(None, 10, 0)

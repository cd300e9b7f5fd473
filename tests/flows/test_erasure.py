"""What the stream still holds of a user who was erased never comes back, however it is read."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from service.accounts.audit import SERVICE
from service.accounts.erasures import Erasures
from service.erasure.carrying_out import Eraser
from service.events import pack
from service.rollup import Rollup
from service.writer import Writer
from tests.building import TENANT, a_batch, an_event
from tests.erasing import opened_erasures
from tests.flows.test_writer import Home, Road

OTHER = "env_other"


@pytest.fixture
async def erasures(tmp_path) -> AsyncIterator[Erasures]:
    async with opened_erasures(tmp_path) as opened:
        yield opened


@pytest.fixture(params=["duckdb", "clickhouse"])
def home(tmp_path, request) -> Home:
    return Home(tmp_path, request.param)


@asynccontextmanager
async def erasing_road(home: Home, erasures: Erasures) -> AsyncIterator[Road]:
    """A road whose writer erases."""
    async with home.road() as road:
        eraser = Eraser(erasures, road.store, road.stream, Rollup(road.store), look_every=0)
        road.writer = Writer(road.stream, road.store, road.mark, road.settings, eraser)
        await road.writer.begin()
        yield road


def of(user: str, *ids: str):
    return [an_event(event_id, user_id=user, session_id=user) for event_id in ids]


async def erased(road: Road, erasures: Erasures, user: str) -> None:
    await erasures.ask(TENANT, user, SERVICE)
    await road.writer.step(0)
    assert await erasures.waiting(1) == []


def forget_the_store(home: Home) -> None:
    """As when the disk of the event store is lost, and that of the stream is not."""
    for file in home.folder.glob("events.duckdb*"):
        file.unlink()
    shutil.rmtree(home.folder / "chdb", ignore_errors=True)


async def agrees(road: Road) -> bool:
    await Rollup(road.store).roll(least=1)
    return all(finding.ok for finding in await Rollup(road.store).verify())


async def test_a_store_rebuilt_from_the_stream_finds_nothing_of_him(home, erasures):
    async with erasing_road(home, erasures) as road:
        await road.send(*of("ada", "a1", "a2"), *of("bob", "b1"))
        await road.send(*of("ada", "a1"), tenant=OTHER)
        await road.writer.drain()
        await erased(road, erasures, "ada")
        await road.carry(of("ada", "a3"))
        left = [row[1:] for row in await road.rows()]
    forget_the_store(home)
    async with erasing_road(home, erasures) as road:
        assert [row[1:] for row in await road.rows()] == left
        assert [row[1:] for row in left] == [(TENANT, "b1"), (OTHER, "a1"), (TENANT, "a3")]
        assert await agrees(road)


async def test_read_again_in_a_new_epoch_nothing_of_him_is_found(home, erasures):
    held, copy = home.folder / "stream" / "jetstream", home.folder / "copy"
    async with erasing_road(home, erasures) as road:
        await road.carry([*of("ada", "a1"), *of("bob", "b1")])
    shutil.copytree(held, copy)
    async with erasing_road(home, erasures) as road:
        await road.carry(of("bob", "b2"))
        await erased(road, erasures, "ada")
    shutil.rmtree(held)
    shutil.copytree(copy, held)
    async with erasing_road(home, erasures) as road:
        await road.send(*of("ada", "a2"))
        assert await road.ids() == ["b1", "b2", "a2"]
        assert road.mark.progress.epoch == 2


async def test_what_he_does_afterwards_is_stored_and_a_late_retry_is_new(home, erasures):
    async with erasing_road(home, erasures) as road:
        await road.carry(of("ada", "a1"))
        await erased(road, erasures, "ada")
        await road.carry(of("ada", "a1", "a2"), of("ada", "a2"))
        assert await road.ids() == ["a1", "a2"]
        await erased(road, erasures, "ada")
        assert await road.ids() == []


async def test_his_dead_letters_are_let_go_and_those_of_others_are_kept(home, erasures):
    his, others = (a_batch(*of(user, f"{user}1")) for user in ("ada", "adam"))
    async with erasing_road(home, erasures) as road:
        for number, batch in enumerate((his, others, his)):
            body = pack(replace(batch, tenant=OTHER))  # another tenant than its subject's
            await road.stream.publish(TENANT, f"m{number}", body, 5)
        await road.stream.publish(TENANT, "junk", b"junk", 5)
        await road.writer.drain()
        await erased(road, erasures, "ada")
        [erasure] = await erasures.latest(TENANT)
        assert (erasure.dead_letters, erasure.unreadable_letters) == (2, 1)
        assert len(await road.stream.dead_letters(0, 10)) == 2


async def test_a_restart_finds_its_place_where_all_was_his(home, erasures):
    async with erasing_road(home, erasures) as road:
        await road.carry(of("ada", "a1"))
        await erased(road, erasures, "ada")
    async with erasing_road(home, erasures) as road:
        assert road.mark.progress.epoch == 1
        assert await road.ids() == []


async def test_without_the_record_of_it_he_would_come_back(home, erasures):
    async with erasing_road(home, erasures) as road:
        await road.carry([*of("ada", "a1"), *of("bob", "b1")])
        await erased(road, erasures, "ada")
    forget_the_store(home)
    async with home.road() as road:
        assert await road.ids() == ["a1", "b1"]

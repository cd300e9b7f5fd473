"""API keys: who may do what, and for how long."""

import asyncio
import time
from pathlib import Path

import pytest

from service.accounts import follower
from service.accounts.audit_log import Asked
from service.accounts.commands.opened import borrowed_key
from service.accounts.environments import DEFAULT_ENVIRONMENT, Environments
from service.accounts.key_rows import MOST_KEYS
from service.accounts.keys import Keys
from service.database import open_database, upgrade
from service.errors import Conflict, InvalidInput, InvalidKey, NotFound, SettingsError
from service.settings import Settings
from tests.signing import opened_accounts


@pytest.fixture
async def keys(tmp_path: Path):
    database = open_database(Settings(data_dir=tmp_path))
    await upgrade(database)
    await Environments(database).ensure_default()
    yield Keys(database)
    await database.close()


@pytest.fixture
async def keys_elsewhere(keys, tmp_path: Path):
    """The same keys as another process sees them."""
    database = open_database(Settings(data_dir=tmp_path))
    yield Keys(database)
    await database.close()


async def is_refused(keys: Keys, text: str) -> bool:
    try:
        await keys.verify(text)
    except InvalidKey:
        return True
    return False


async def test_a_key_speaks_for_its_environment_with_its_scopes(keys):
    new = await keys.create("collector", ["ingest", "read"])
    principal = await keys.verify(new.text)
    assert principal.tenant == DEFAULT_ENVIRONMENT
    assert principal.scopes == {"ingest", "read"}
    assert (principal.key_id, principal.name) == (new.key.id, "collector")


async def test_a_key_has_256_random_bits_behind_its_mark(keys):
    texts = {(await keys.create("k", ["read"])).text for _ in range(3)}
    assert len(texts) == 3
    assert all(text.startswith("evp_") and len(text) == len("evp_") + 43 for text in texts)


async def test_the_text_of_a_key_is_nowhere_on_disk(keys, tmp_path):
    new = await keys.create("collector", ["ingest"])
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert new.key.prefix.encode() in written
    assert new.text.removeprefix(new.key.prefix).encode() not in written


@pytest.mark.parametrize("text", ["", "evp_", "evp_" + "x" * 43, "é" * 43, "\udc80", "x" * 10_000])
async def test_an_unknown_key_is_refused(keys, text):
    await keys.create("another", ["read"])
    assert await is_refused(keys, text)


async def test_a_key_is_refused_from_its_expiry_on(keys):
    now = time.time_ns() // 1_000_000
    gone = await keys.create("gone", ["read"], expires_at=now)
    good = await keys.create("good", ["read"], expires_at=now + 3_600_000)
    assert await is_refused(keys, gone.text)
    assert not await is_refused(keys, good.text)


async def test_a_revoked_key_is_refused_at_once_where_it_was_revoked(keys):
    new = await keys.create("collector", ["ingest"])
    await keys.verify(new.text)
    await keys.revoke(new.key.id)
    assert await is_refused(keys, new.text)


async def test_a_key_revoked_by_another_process_is_refused_while_in_use(keys, keys_elsewhere):
    new = await keys.create("collector", ["ingest"])
    await keys.verify(new.text)
    await keys_elsewhere.revoke(new.key.id)
    while not await is_refused(keys, new.text):
        await asyncio.sleep(0.01)
    assert follower.FRESH <= 0.5


async def test_a_key_made_by_another_process_is_known_at_once(keys, keys_elsewhere):
    await keys.verify((await keys.create("first", ["read"])).text)
    new = await keys_elsewhere.create("second", ["read"])
    assert (await keys.verify(new.text)).name == "second"


async def test_revoking_again_changes_nothing(keys):
    new = await keys.create("collector", ["ingest"])
    once = await keys.revoke(new.key.id)
    assert await keys.revoke(new.key.id) == once


async def test_a_key_of_another_environment_cannot_be_revoked(keys):
    new = await keys.create("collector", ["ingest"])
    with pytest.raises(NotFound):
        await keys.revoke(new.key.id, tenant="env_other")
    assert not await is_refused(keys, new.text)


async def test_the_list_tells_when_a_key_was_used_last(keys):
    used = await keys.create("used", ["read"])
    await keys.create("unused", ["read"])
    await keys.verify(used.text)
    await keys.close()
    by_name = {key.name: key for key in await keys.list()}
    assert by_name["used"].last_used_at >= by_name["used"].created_at
    assert by_name["unused"].last_used_at is None


async def test_the_list_is_of_one_environment(keys):
    await keys.create("mine", ["read"])
    assert await keys.list("env_other") == []


@pytest.mark.parametrize(
    ("name", "scopes", "field"),
    [
        ("", ["read"], "name"),
        ("x" * 129, ["read"], "name"),
        ("two\nlines", ["read"], "name"),
        ("k", [], "scopes"),
        ("k", ["read", "root"], "scopes"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(keys, name, scopes, field):
    with pytest.raises(InvalidInput) as refused:
        await keys.create(name, scopes)
    assert refused.value.field == field


async def test_the_bootstrap_key_is_made_once_with_every_scope(keys):
    for _ in range(2):
        await keys.ensure_bootstrap("evp_from_the_environment")
    assert (await keys.verify("evp_from_the_environment")).scopes == {"ingest", "read", "admin"}
    assert len(await keys.list()) == 1


async def test_another_bootstrap_key_replaces_the_one_before(keys):
    await keys.ensure_bootstrap("evp_the_first_text")
    await keys.verify("evp_the_first_text")
    await keys.create("in between", ["read"])
    await keys.ensure_bootstrap("evp_the_other_text")
    assert not await is_refused(keys, "evp_the_other_text")
    assert await is_refused(keys, "evp_the_first_text")


async def test_a_revoked_bootstrap_key_stays_revoked(keys):
    await keys.ensure_bootstrap("evp_from_the_environment")
    await keys.revoke("key_bootstrap")
    await keys.ensure_bootstrap("evp_from_the_environment")
    assert await is_refused(keys, "evp_from_the_environment")


async def test_the_bootstrap_key_may_be_one_made_before(keys):
    new = await keys.create("by hand", ["ingest"])
    await keys.ensure_bootstrap(new.text)
    assert (await keys.verify(new.text)).name == "by hand"


@pytest.mark.parametrize("text", ["short", "with a space", "x" * 201, "schlüssel"])
async def test_a_bootstrap_key_that_no_header_could_carry_is_refused(keys, text):
    with pytest.raises(SettingsError, match="HEADRACE_BOOTSTRAP_API_KEY"):
        await keys.ensure_bootstrap(text)


async def test_no_list_shows_more_than_a_quarter_of_a_bootstrap_key(keys):
    await keys.ensure_bootstrap("12345678")
    assert [key.prefix for key in await keys.list()] == ["12"]


async def test_a_borrowed_key_ends_with_its_use(keys, tmp_path):
    async with borrowed_key(Settings(data_dir=tmp_path)) as text:
        assert (await keys.verify(text)).scopes == {"ingest", "read"}
    while not await is_refused(keys, text):
        await asyncio.sleep(0.01)
    assert [key.revoked_at is None for key in await keys.list()] == [False]


async def test_with_a_bootstrap_key_nothing_needs_to_be_borrowed(keys, tmp_path):
    settings = Settings(data_dir=tmp_path, bootstrap_api_key="evp_from_the_environment")
    async with borrowed_key(settings) as text:
        assert text == "evp_from_the_environment"
    assert await keys.list() == []


async def test_a_rotated_key_stays_valid_beside_its_successor(keys):
    former = await keys.create("collector", ["ingest"], tier="pro")
    new = await keys.rotate(former.key.id)
    for text in (former.text, new.text):
        principal = await keys.verify(text)
        assert (principal.name, principal.tier) == ("collector", "pro")
        assert principal.scopes == {"ingest"}
    still = await keys.get(former.key.id)
    assert still.successor_id == new.key.id
    assert 0 < still.expires_at - time.time() * 1000 <= 24 * 3600 * 1000
    assert new.key.expires_at is None


async def test_a_key_rotated_without_grace_ends_at_once(keys):
    former = await keys.create("collector", ["ingest"])
    new = await keys.rotate(former.key.id, grace=0)
    assert await is_refused(keys, former.text)
    assert not await is_refused(keys, new.text)


async def test_a_grace_never_lets_a_key_live_longer_than_it_would_have(keys):
    end = time.time_ns() // 1_000_000 + 3_600_000
    former = await keys.create("collector", ["ingest"], expires_at=end)
    new = await keys.rotate(former.key.id)
    assert (await keys.get(former.key.id)).expires_at == end
    span = former.key.expires_at - former.key.created_at
    assert new.key.expires_at - new.key.created_at == pytest.approx(span, abs=1000)


async def test_what_has_a_successor_or_has_ended_is_not_rotated(keys):
    former = await keys.create("collector", ["ingest"])
    new = await keys.rotate(former.key.id)
    with pytest.raises(Conflict, match=new.key.id):
        await keys.rotate(former.key.id)
    await keys.revoke(new.key.id)
    with pytest.raises(Conflict, match="revoked"):
        await keys.rotate(new.key.id)
    assert len(await keys.list()) == 2


async def test_the_bootstrap_key_is_changed_by_its_setting_alone(keys):
    await keys.ensure_bootstrap("evp_from_the_environment")
    with pytest.raises(Conflict, match="HEADRACE_BOOTSTRAP_API_KEY"):
        await keys.rotate("key_bootstrap")
    with pytest.raises(Conflict, match="HEADRACE_BOOTSTRAP_API_KEY"):
        await keys.change("key_bootstrap", {"name": "mine"})


async def test_an_environment_full_of_keys_rotates_without_grace_alone(keys):
    made = [await keys.create(f"k{n}", ["read"]) for n in range(MOST_KEYS)]
    with pytest.raises(InvalidInput, match="at most 100"):
        await keys.rotate(made[0].key.id)
    assert (await keys.get(made[0].key.id)).expires_at is None
    assert await keys.rotate(made[0].key.id, grace=0)


async def test_a_change_holds_at_once_and_leaves_the_rest(keys):
    new = await keys.create("collector", ["ingest", "read"])
    await keys.verify(new.text)
    await keys.change(new.key.id, {"scopes": ["read"], "tier": "free"})
    principal = await keys.verify(new.text)
    assert (principal.name, principal.scopes, principal.tier) == ("collector", {"read"}, "free")


async def test_an_end_can_be_set_moved_and_taken_away(keys):
    new = await keys.create("collector", ["read"])
    await keys.change(new.key.id, {"expires_at": 1})
    assert await is_refused(keys, new.text)
    with pytest.raises(Conflict, match="expired"):
        await keys.change(new.key.id, {"expires_at": None})


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"name": ""}, InvalidInput),
        ({"scopes": []}, InvalidInput),
        ({"scopes": ["root"]}, InvalidInput),
        ({"tier": "golden"}, InvalidInput),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(keys, changes, wrong):
    new = await keys.create("collector", ["read"])
    with pytest.raises(wrong):
        await keys.change(new.key.id, changes)
    assert await keys.get(new.key.id) == new.key


@pytest.mark.parametrize("grace", [-1, 31 * 24 * 3600])
async def test_a_grace_is_between_nothing_and_thirty_days(keys, grace):
    new = await keys.create("collector", ["read"])
    with pytest.raises(InvalidInput, match="30 days"):
        await keys.rotate(new.key.id, grace)


async def test_the_list_tells_when_a_key_was_last_brought_after_its_end(keys):
    gone = await keys.create("gone", ["read"])
    await keys.create("never brought", ["read"])
    await keys.revoke(gone.key.id)
    assert await is_refused(keys, gone.text)
    await keys.close()
    by_name = {key.name: key for key in await keys.list()}
    assert by_name["gone"].last_refused_at >= by_name["gone"].revoked_at
    assert by_name["never brought"].last_refused_at is None


async def test_rotating_and_changing_are_noted_without_the_key(keys, tmp_path):
    former = await keys.create("collector", ["ingest"])
    await keys.change(former.key.id, {"name": "sender"})
    new = await keys.rotate(former.key.id)
    async with opened_accounts(tmp_path) as accounts:
        page = await accounts.audit.page(Asked(DEFAULT_ENVIRONMENT))
    assert [entry.action for entry in page.entries] == ["key.rotated", "key.changed", "key.made"]
    assert page.entries[0].details["replaces"] == former.key.id
    assert page.entries[1].details == {"name": "sender"}
    assert new.text not in repr(page)

"""What a journal promises: what it acknowledged it holds, and nobody writes between two others."""

import time

import pytest

from service.errors import TooLarge
from service.stream.bucket import Moved
from service.stream.journal import JournalFull, Shape

BIG = 1 << 24


@pytest.fixture
async def journal(stream):
    return await stream.journal(Shape("J", "j.log", BIG))


async def filled(journal, *bodies):
    return [await journal.append(body) for body in bodies]


async def test_what_was_appended_is_read_in_its_order(journal):
    assert await filled(journal, b"one", b"two", b"three") == [1, 2, 3]
    assert [e.body for e in await journal.read(1, 10)] == [b"two", b"three"]
    assert [e.sequence for e in await journal.read(0, 2)] == [1, 2]


async def test_the_last_entry_is_told_and_there_may_be_none(journal):
    assert await journal.last() is None
    await filled(journal, b"one", b"two")
    last = await journal.last()
    assert (last.sequence, last.body) == (2, b"two")
    assert abs(last.time - time.time() * 1000) < 60_000


async def test_of_two_who_append_after_the_same_entry_one_is_told_that_it_moved(journal):
    assert await journal.append(b"first", after=0) == 1
    with pytest.raises(Moved):
        await journal.append(b"another first", after=0)
    assert await journal.append(b"second", after=1) == 2


async def test_one_name_is_kept_once(journal):
    assert await journal.append(b"a", name="x") == await journal.append(b"a", name="x")
    assert (await journal.extent()).entries == 1


async def test_a_full_one_takes_no_more_and_loses_nothing(stream):
    journal = await stream.journal(Shape("SMALL", "small", 5000))
    await journal.append(b"x" * 3000)
    with pytest.raises(JournalFull):
        await journal.append(b"y" * 3000)
    assert [e.body[:1] for e in await journal.read(0, 10)] == [b"x"]


async def test_a_rolling_one_forgets_its_oldest(stream):
    journal = await stream.journal(Shape("ROLLS", "rolls", 5000, rolling=True))
    await filled(journal, b"x" * 3000, b"y" * 3000)
    assert [e.body[:1] for e in await journal.read(0, 10)] == [b"y"]


async def test_where_one_is_kept_of_each_subject_the_newest_takes_the_place(stream):
    journal = await stream.journal(Shape("EACH", "each.>", BIG, each=1))
    for subject, body in (("each.a", b"1"), ("each.b", b"2"), ("each.a", b"3")):
        await journal.append(body, subject)
    assert [e.body for e in await journal.read(0, 10)] == [b"2", b"3"]
    assert [e.body for e in await journal.read(0, 10, "each.a")] == [b"3"]


async def test_what_is_purged_or_discarded_is_gone_and_the_sequence_goes_on(journal):
    await filled(journal, b"one", b"two", b"three")
    await journal.purge(2)
    await journal.discard(2)
    await journal.discard(2)
    assert [e.body for e in await journal.read(0, 10)] == [b"three"]
    assert await journal.append(b"four", after=3) == 4


async def test_the_first_entry_since_a_time_is_found(journal):
    await filled(journal, b"one", b"two")
    second = (await journal.read(1, 1))[0]
    assert (await journal.since(0)).body == b"one"
    assert await journal.since(second.time + 60_000) is None


async def test_what_the_broker_does_not_take_is_refused_before_it_is_sent(journal):
    with pytest.raises(TooLarge):
        await journal.append(b"x" * (journal.largest + 1))


async def test_a_deleted_one_begins_anew(stream, journal):
    await filled(journal, b"one")
    await journal.delete()
    await journal.delete()
    assert await (await stream.journal(journal.shape)).append(b"new") == 1


async def test_entries_of_all_journals_below_a_subject_are_counted(stream, journal):
    assert await stream.entries("k.>") == 0
    await filled(journal, b"of another subject")
    for number in (1, 2):
        other = await stream.journal(Shape(f"K{number}", f"k.{number}.>", BIG))
        await other.append(b"one", subject=f"k.{number}.a")
    assert await stream.entries("k.>") == 2

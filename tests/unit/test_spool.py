"""What a spool promises: what was added is there again, whole, for one process at a time."""

import resource
from pathlib import Path

import pytest

from service.client.buffer import Buffer, MemoryBuffer, Parcel
from service.client.spool import Spool
from service.errors import SpoolBusy

ONE, TWO, THREE = b'{"eventId":"1"}', b'{"eventId":"2"}', b'{"eventId":"3"}'


@pytest.fixture(params=["memory", "spool"])
def buffer(request: pytest.FixtureRequest, tmp_path: Path) -> Buffer:
    return MemoryBuffer() if request.param == "memory" else Spool(tmp_path / "spool")


def the_next(buffer: Buffer) -> Parcel:
    parcel = buffer.take()
    assert parcel
    return parcel


def waiting(buffer: Buffer) -> list[list[bytes]]:
    found = []
    while parcel := buffer.take():
        found.append(buffer.read(parcel))
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.events"))


def test_parcels_come_out_in_the_order_in_which_they_were_sealed(buffer: Buffer):
    for events in ([ONE, TWO], [THREE]):
        for event in events:
            buffer.add(event)
        buffer.seal()
    assert waiting(buffer) == [[ONE, TWO], [THREE]]
    buffer.close()


def test_nothing_is_sealed_when_nothing_was_added(buffer: Buffer):
    buffer.seal()
    assert (buffer.take(), buffer.newest, buffer.oldest()) == (None, 0, None)
    buffer.close()


def test_what_is_removed_is_held_no_more(buffer: Buffer):
    buffer.add(ONE)
    buffer.seal()
    assert buffer.held >= len(ONE)
    buffer.remove(the_next(buffer))
    assert (buffer.held, buffer.oldest()) == (0, None)
    buffer.close()


@pytest.mark.parametrize("fsync", ["always", "batch", "never"])
def test_a_spool_that_is_opened_again_has_what_was_not_removed(tmp_path: Path, fsync):
    spool = Spool(tmp_path, fsync)
    for event in (ONE, TWO, THREE):
        spool.seal()
        spool.add(event)
    spool.remove(the_next(spool))
    spool.close()
    again = Spool(tmp_path, fsync)
    assert waiting(again) == [[TWO], [THREE]]
    assert again.newest == 3
    again.close()


def test_a_spool_has_one_user_at_a_time(tmp_path: Path):
    spool = Spool(tmp_path)
    with pytest.raises(SpoolBusy, match=str(tmp_path)):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()


@pytest.mark.parametrize("lost", range(1, 26))
def test_of_a_torn_tail_nothing_is_taken_and_of_what_is_before_it_everything(tmp_path: Path, lost):
    spool = Spool(tmp_path)
    spool.add(ONE)
    spool.add(TWO)
    spool.close()
    (file,) = files(tmp_path)
    file.write_bytes(file.read_bytes()[:-lost])
    again = Spool(tmp_path)
    whole = [[ONE, TWO]] if lost == 1 else [[ONE]]  # the last newline is no part of an event
    assert waiting(again) == whole
    again.close()


def test_a_line_that_was_altered_is_left_out_and_told(tmp_path: Path, caplog):
    spool = Spool(tmp_path)
    for event in (ONE, TWO, THREE):
        spool.add(event)
    spool.close()
    (file,) = files(tmp_path)
    file.write_bytes(file.read_bytes().replace(b'"2"', b'"9"'))
    again = Spool(tmp_path)
    assert waiting(again) == [[ONE, THREE]]
    assert "headrace.spool.damaged" in caplog.text
    again.close()


def test_a_file_of_another_name_is_left_alone(tmp_path: Path):
    (tmp_path / "notes.events").write_text("mine")
    spool = Spool(tmp_path)
    assert spool.take() is None
    spool.close()
    assert (tmp_path / "notes.events").read_text() == "mine"


def test_what_is_spooled_is_for_its_owner_alone(tmp_path: Path):
    spool = Spool(tmp_path / "spool")
    spool.add(ONE)
    (file,) = files(tmp_path / "spool")
    assert (file.stat().st_mode & 0o077, (tmp_path / "spool").stat().st_mode & 0o077) == (0, 0)
    spool.close()


def test_an_event_that_the_disk_has_no_room_for_leaves_no_trace(tmp_path: Path):
    spool = Spool(tmp_path)
    spool.add(ONE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (spool.open_bytes + 10, hard))
    try:
        with pytest.raises(OSError):
            spool.add(TWO)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    spool.add(THREE)
    spool.seal()
    assert waiting(spool) == [[ONE, THREE]]
    spool.close()


def test_only_what_was_asked_for_is_forced_to_the_disk(tmp_path: Path):
    dirty = {}
    for fsync in ("always", "batch", "never"):
        spool = Spool(tmp_path / fsync, fsync)
        spool.add(ONE)
        added = spool.is_dirty()
        spool.seal()
        dirty[fsync] = (added, spool.is_dirty())
        spool.sync()
        assert not spool.is_dirty()
        spool.close()
    assert dirty == {"always": (True, True), "batch": (False, True), "never": (False, False)}

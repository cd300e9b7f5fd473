"""Sealed secrets open where they were put, whole, under any secret that ever was the newest."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as some

from service.accounts.sealing import Sealing
from service.errors import SealBroken

OLD, NEW = b"the secret before", b"the secret of today"
SEALING = Sealing(NEW, [OLD])
PLACE = "api_keys/key_1/signing_secret"


def does_not_open(sealed: str, place: str = PLACE, sealing: Sealing = SEALING) -> str:
    """Why a sealed text does not open."""
    with pytest.raises(SealBroken) as broken:
        sealing.open(sealed, place)
    return str(broken.value)


@given(some.binary(max_size=300), some.text(some.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens_where_it_was_put(text: bytes, place: str):
    sealed = SEALING.seal(text, place)
    assert SEALING.open(sealed, place) == text
    does_not_open(sealed, f"{place}'")


@given(some.binary(min_size=8, max_size=100))
def test_nothing_of_the_text_can_be_read(text: bytes):
    sealed = SEALING.seal(text, PLACE)
    assert text not in urlsafe_b64decode(sealed.rpartition(".")[2])
    assert sealed != SEALING.seal(text, PLACE)


@given(some.data())
def test_not_a_bit_may_be_changed(data: some.DataObject):
    head, _, text = SEALING.seal(b"a signing secret", PLACE).rpartition(".")
    raw = bytearray(urlsafe_b64decode(text))
    raw[data.draw(some.integers(0, len(raw) - 1))] ^= 1 << data.draw(some.integers(0, 7))
    changed = f"{head}.{urlsafe_b64encode(raw).decode()}"
    assert "altered" in does_not_open(changed)


@given(some.data())
def test_not_a_character_may_be_changed_left_out_or_added(data: some.DataObject):
    sealed = SEALING.seal(b"a signing secret!", PLACE)
    at = data.draw(some.integers(0, len(sealed) - 1))
    other = data.draw(some.characters().filter(lambda character: character != sealed[at]))
    assert PLACE in does_not_open(sealed[:at] + other + sealed[at + 1 :])
    assert PLACE in does_not_open(sealed[:at] + sealed[at + 1 :])
    assert PLACE in does_not_open(sealed[:at] + "!" + sealed[at:])


@given(some.text())
def test_what_is_no_sealed_text_does_not_open(text: str):
    does_not_open(text)


@given(some.binary(max_size=100))
def test_a_former_secret_opens_and_the_newest_seals(text: bytes):
    before = Sealing(OLD).seal(text, PLACE)
    assert SEALING.open(before, PLACE) == text
    assert not SEALING.is_newest(before)
    assert SEALING.is_newest(SEALING.seal(text, PLACE))
    assert Sealing(NEW).open(SEALING.seal(text, PLACE), PLACE) == text


def test_a_secret_that_is_not_known_is_told_with_what_to_do():
    reason = does_not_open(Sealing(b"another").seal(b"text", PLACE))
    assert "HEADRACE_FORMER_SECRET_KEYS" in reason
    assert "another" not in reason


def test_the_name_of_a_key_is_that_of_another_key_no_more():
    _, theirs, text = Sealing(OLD).seal(b"text", PLACE).split(".")
    ours = SEALING.seal(b"text", PLACE).split(".")[1]
    assert theirs != ours
    assert "altered" in does_not_open(f"1.{ours}.{text}")

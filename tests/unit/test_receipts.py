"""Receipts name a place to their own tenant and nothing to anybody else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as some

from service.errors import NotFound
from service.receipts import Place, Receipts

RECEIPTS = Receipts(b"secret")
POSITIONS = some.integers(0, 2**64 - 1)
ORDINALS = some.integers(0, 2**32 - 1)


@given(some.text(), POSITIONS, ORDINALS, ORDINALS)
def test_what_was_issued_is_read_back(tenant: str, position: int, first: int, count: int):
    token = RECEIPTS.issue(tenant, position, first, count)
    assert RECEIPTS.read(tenant, token) == Place(position, first, count)


def test_a_receipt_is_short_and_fits_into_a_url():
    token = RECEIPTS.issue("env_default", 2**63, 1, 2)
    assert len(token) < 64
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_place_has_one_receipt():
    assert RECEIPTS.issue("t", 1, 2, 3) == RECEIPTS.issue("t", 1, 2, 3)


@pytest.mark.parametrize("reader", [Receipts(b"other"), RECEIPTS])
def test_another_secret_or_tenant_cannot_read_it(reader: Receipts):
    with pytest.raises(NotFound):
        reader.read("other tenant", RECEIPTS.issue("t", 1, 2, 3))


@given(some.integers(0, 31), some.integers(1, 255))
def test_a_changed_receipt_is_not_found(byte: int, change: int):
    sealed = bytearray(base64.urlsafe_b64decode(RECEIPTS.issue("t", 1, 2, 3) + "=="))
    sealed[byte] ^= change
    with pytest.raises(NotFound):
        RECEIPTS.read("t", base64.urlsafe_b64encode(sealed).decode())


@pytest.mark.parametrize("token", ["", "x", "ö", "a" * 10_000, "====", "\ud800"])
def test_what_is_no_receipt_is_not_found(token: str):
    with pytest.raises(NotFound):
        RECEIPTS.read("t", token)


def test_a_receipt_does_not_tell_how_much_was_sent():
    one, next_one = (RECEIPTS.issue("t", position, 0, 1) for position in (1000, 1001))
    same = sum(a == b for a, b in zip(one, next_one, strict=True))
    assert same < len(one) / 2

"""The signed face's signatures, by the vectors of its contract."""

import hmac
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.accounts.derivations import signing_keys
from service.accounts.signing_tokens import SCHEMES
from service.errors import InvalidInput

BODY = b'{"a":1}'
VECTORS = {
    "hkdf": b"8523476fc0ce7f8ca93ae499deba1eb4719a1e93114fa5eb7806ad864f4a80c5",
    "hkdf-swapped": b"3c68e65632fdeb6467d8daac448a3693a22705aa44c6eacde53c616e83766343",
    "shell": b"a6303ce335a2a9ecef06ab0b4e18ad6f92877f7093da6a27b11a479f6e0c5bb0",
}
KEYS = signing_keys("tok_test", "acc1", "ws1")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_derivation_in_use_is_known_by_its_vector(scheme):
    assert KEYS.scheme_of(VECTORS[scheme], BODY, "sha256") == scheme


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_token_pinned_to_another_derivation_refuses_it(scheme):
    others = [other for other in SCHEMES if other != scheme]
    pinned = signing_keys("tok_test", "acc1", "ws1", others)
    assert pinned.scheme_of(VECTORS[scheme], BODY, "sha256") is None


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"0",
        VECTORS["hkdf"].upper(),
        VECTORS["hkdf"][:-1],
        VECTORS["hkdf"] + b"0",
        b"\xff" * 64,
        "é".encode(),
    ],
)
def test_a_signature_that_is_none_signs_nothing(wrong: bytes):
    assert KEYS.scheme_of(wrong, BODY, "sha256") is None


def test_ids_that_read_the_same_side_by_side_share_keys_as_the_face_has_it():
    """The salt is both ids without anything between; it is why tokens are found by token first."""
    assert signing_keys("t", "ab", "c") == signing_keys("t", "a", "bc")


def test_an_unknown_algorithm_is_refused_by_name():
    with pytest.raises(InvalidInput, match="sha256, sha512"):
        KEYS.scheme_of(VECTORS["hkdf"], BODY, "md5")


@given(st.binary(max_size=64), st.integers(0, 7))
def test_one_changed_bit_of_the_body_breaks_every_signature(body: bytes, bit: int):
    changed = bytes([body[0] ^ (1 << bit), *body[1:]]) if body else b"\0"
    for scheme, key in KEYS.keys.items():
        signature = hmac.new(key, body, "sha512").hexdigest().encode()
        assert KEYS.scheme_of(signature, body, "sha512") == scheme
        assert KEYS.scheme_of(signature, changed, "sha512") is None


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_the_lines_of_the_document_make_the_shell_signature():
    lines = """
    PRK=$(echo -n "tok_test" | openssl dgst -sha256 -hmac "acc1ws1" | cut -d' ' -f2)
    KEY=$(echo -n "hmac-signing01" | openssl dgst -sha256 -hmac "$PRK" | cut -d' ' -f2)
    echo -n '{"a":1}' | openssl dgst -sha256 -hmac "$KEY" | cut -d' ' -f2
    """
    made = subprocess.run(["bash", "-c", lines], capture_output=True, check=True).stdout.strip()
    assert KEYS.scheme_of(made, BODY, "sha256") == "shell"

"""Session tokens: which are believed, and which are not."""

import time
from base64 import urlsafe_b64encode

import jwt
import pytest

from service.accounts.tokens import Claims, Tokens, is_token
from service.errors import Unauthenticated

TOKENS = Tokens(b"secret")
SOON = int(time.time()) + 86400
GOOD = Claims("ses_1", "user", SOON * 1000)
PAYLOAD = {
    "iss": "headrace",
    "aud": "headrace",
    "sub": "user",
    "jti": "ses_1",
    "iat": SOON - 86400,
    "exp": SOON,
}


def is_believed(text: str, tokens: Tokens = TOKENS) -> bool:
    try:
        return tokens.read(text) == GOOD
    except Unauthenticated:
        return False


def signed(algorithm: str = "HS256", key: bytes | str | None = None, **changes: object) -> str:
    """A token with our key, unless something else is said; None leaves a claim out."""
    payload = {name: v for name, v in (PAYLOAD | changes).items() if v is not None}
    key = TOKENS._keys[TOKENS._signing] if key is None else key
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": TOKENS._signing})


def test_a_token_says_whose_session_it_stands_for():
    text = TOKENS.issue(GOOD)
    assert TOKENS.read(text) == GOOD
    assert is_token(text)


def test_what_these_tests_sign_is_believed_unless_something_is_wrong_with_it():
    assert is_believed(signed())


@pytest.mark.parametrize("claim", PAYLOAD)
def test_no_claim_may_be_missing(claim):
    assert not is_believed(signed(**{claim: None}))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "another"},
        {"aud": "another"},
        {"iat": SOON},
        {"exp": int(time.time()) - 1},
        {"exp": int(time.time()) - 11},
        {"nbf": SOON},
        {"sub": 7},
        {"jti": 7},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_no_claim_may_be_wrong(changes):
    assert not is_believed(signed(**changes))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_no_other_algorithm_is_believed(algorithm):
    assert not is_believed(signed(algorithm))


def test_a_token_without_a_signature_is_not_believed():
    head = urlsafe_b64encode(b'{"alg":"none","kid":"%b"}' % TOKENS._signing.encode())
    body = signed().split(".")[1]
    assert not is_believed(f"{head.decode().rstrip('=')}.{body}.")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_letter_is_noticed(part):
    parts = TOKENS.issue(GOOD).split(".")
    parts[part] = parts[part][:5] + ("A" if parts[part][5] != "A" else "B") + parts[part][6:]
    assert not is_believed(".".join(parts))


@pytest.mark.parametrize("text", ["", ".", "..", "eyJ..", "a.b.c", "eyJ" * 5000 + "..", "é.é.é"])
def test_what_is_no_token_is_refused(text):
    assert not is_believed(text)


def test_a_new_secret_signs_and_a_former_one_is_still_believed():
    renewed = Tokens(b"new secret", [b"secret"])
    assert is_believed(TOKENS.issue(GOOD), renewed)
    assert not is_believed(renewed.issue(GOOD), TOKENS)
    assert not is_believed(TOKENS.issue(GOOD), Tokens(b"new secret"))


def test_a_token_that_was_read_before_is_refused_past_its_time(monkeypatch):
    text = TOKENS.issue(GOOD)
    assert is_believed(text)
    monkeypatch.setattr(time, "time", lambda: SOON + 0.001)
    assert not is_believed(text)


def test_the_secret_itself_is_no_key():
    assert not is_believed(signed(key=b"secret" * 8))

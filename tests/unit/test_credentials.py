"""What the Python client sends of its credentials, and that it shows none of them."""

import hmac

import httpx2
import pytest

from service.client import ApiKey, Client, Partner, PartnerOptions, Producer, SigningKey, Token
from service.client.partner import Signature, derived
from tests.documented import KEY, NONCE, NOW, SECRET, VECTORS

SIGNATURES = {
    "hkdf": "8523476fc0ce7f8ca93ae499deba1eb4719a1e93114fa5eb7806ad864f4a80c5",
    "hkdf-swapped": "3c68e65632fdeb6467d8daac448a3693a22705aa44c6eacde53c616e83766343",
    "shell": "a6303ce335a2a9ecef06ab0b4e18ad6f92877f7093da6a27b11a479f6e0c5bb0",
}
HIDDEN = "not-to-be-seen"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["path"])
def test_a_request_is_signed_as_the_documentation_says(vector):
    key = SigningKey(KEY, SECRET)
    body = vector["body"].encode()
    headers = key.signed(vector["method"], vector["path"], body, NOW, NONCE)
    assert headers["authorization"].endswith(f"signature={vector['signature']}")
    assert headers.get("content-digest", "") == vector["digest"]


@pytest.mark.parametrize("scheme", SIGNATURES)
def test_each_derivation_of_the_signed_face_gives_its_vector(scheme):
    key = derived(scheme, "tok_test", "acc1ws1")
    assert hmac.new(key, b'{"a":1}', "sha256").hexdigest() == SIGNATURES[scheme]


def test_each_try_of_a_signed_request_has_a_nonce_of_its_own():
    signature = Signature("tok", "acc1", "ws1", PartnerOptions())
    assert signature.signed(b"{}")["x-nonce"] != signature.signed(b"{}")["x-nonce"]


@pytest.mark.parametrize(
    ("credential", "header"),
    [(ApiKey("evp_1"), ("x-api-key", "evp_1")), (Token("eyJ1"), ("authorization", "Bearer eyJ1"))],
)
def test_a_key_goes_as_x_api_key_and_a_token_as_bearer(credential, header):
    request = next(credential.auth_flow(httpx2.Request("GET", "http://127.0.0.1/")))
    assert request.headers[header[0]] == header[1]


def test_a_token_may_name_the_environment_it_speaks_for():
    request = next(Token("eyJ1", "env_2").auth_flow(httpx2.Request("GET", "http://127.0.0.1/")))
    assert request.headers["x-env-id"] == "env_2"


async def test_nothing_that_is_shown_has_a_secret_in_it():
    client = Client(f"http://ada:{HIDDEN}@127.0.0.1:1", HIDDEN)
    partner = Partner("http://127.0.0.1:1", HIDDEN, "acc1", "ws1")
    shown = [client, Producer(client), partner, ApiKey(HIDDEN), Token(HIDDEN)]
    shown += [SigningKey("key_1", HIDDEN), Signature(HIDDEN, "acc1", "ws1", PartnerOptions())]
    assert [text for text in map(repr, shown) if HIDDEN in text] == []

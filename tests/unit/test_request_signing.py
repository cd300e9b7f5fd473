"""The page about signed requests: its three languages, its vectors, and the service agree."""

import hmac
import shutil
from pathlib import Path
from typing import Any

import pytest

from service.api.signed_requests import signed
from tests.documented import (
    KEY,
    NONCE,
    NOW,
    SECRET,
    VECTORS,
    sign,
    sign_in_javascript,
    sign_in_shell,
)


def expected(vector: dict[str, Any]) -> dict[str, str]:
    said = f"HMAC-SHA256 v=1,key={KEY},time={NOW},nonce={NONCE},signature={vector['signature']}"
    digest = {"content-digest": vector["digest"]} if vector["digest"] else {}
    return {"authorization": said} | digest


def given(vector: dict[str, Any]) -> tuple[Any, ...]:
    return KEY, SECRET, vector["method"], vector["path"], vector["body"], NOW, NONCE


@pytest.mark.parametrize("vector", VECTORS)
def test_python_signs_as_the_vectors_say(vector):
    key, secret, method, path, body, *rest = given(vector)
    assert sign(key, secret, method, path, body.encode(), *rest) == expected(vector)


@pytest.mark.skipif(not shutil.which("node"), reason="there is no node here to run JavaScript")
@pytest.mark.parametrize("vector", VECTORS)
def test_javascript_signs_as_the_vectors_say(vector):
    assert sign_in_javascript(*given(vector)) == expected(vector)


@pytest.mark.parametrize("vector", VECTORS)
def test_the_shell_signs_as_the_vectors_say(vector, tmp_path: Path):
    assert sign_in_shell(tmp_path, *given(vector)) == expected(vector)


@pytest.mark.parametrize("vector", VECTORS)
def test_the_service_reads_from_the_headers_what_was_signed(vector):
    headers = {name.encode(): value.encode() for name, value in expected(vector).items()}
    place = {b":method": vector["method"].encode(), b":path": vector["path"].encode()}
    request = signed(headers | place)
    assert (request.key_id, request.signed_at, request.nonce) == (KEY, NOW, NONCE.encode())
    assert hmac.digest(SECRET.encode(), request.text, "sha256") == request.signature

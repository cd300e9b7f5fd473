"""Bodies that are cut, bent or stuffed are refused, and nothing of them is counted."""

import gzip
import random
import socket
from collections import Counter
from collections.abc import Callable

import pytest

from tests.chaos.clients import Load, make_events
from tests.chaos.judge import assert_counted_once
from tests.chaos.tally import struck
from tests.running import RunningService

GZIP = "content-encoding: gzip\r\n"


def cut(body: bytes, dice: random.Random) -> tuple[bytes, str]:
    return body[: dice.randrange(1, len(body) - 1)], ""


def not_unicode(body: bytes, dice: random.Random) -> tuple[bytes, str]:
    return body.replace(b'"eventType"', b'"\xff\xfe"'), ""


def stuffed(body: bytes, dice: random.Random) -> tuple[bytes, str]:
    return body[:-1] + b',"deep":' + b"[" * 5000, ""


def cut_gzip(body: bytes, dice: random.Random) -> tuple[bytes, str]:
    return gzip.compress(body)[: dice.randrange(1, 60)], GZIP


def bent_gzip(body: bytes, dice: random.Random) -> tuple[bytes, str]:
    packed = bytearray(gzip.compress(body))
    packed[-8:-4] = bytes(255 - byte for byte in packed[-8:-4])
    return bytes(packed), GZIP


def no_gzip(body: bytes, dice: random.Random) -> tuple[bytes, str]:
    return body, GZIP


WAYS: tuple[Callable[[bytes, random.Random], tuple[bytes, str]], ...] = (
    cut,
    not_unicode,
    stuffed,
    cut_gzip,
    bent_gzip,
    no_gzip,
)


@pytest.mark.timeout(120)
def test_mutilated_bodies_between_sound_ones_are_refused_and_count_nothing(new_service, seed, dice):
    service = new_service().start()
    load = Load(service, seed)
    answers: Counter[int] = Counter()
    with load:
        for number in range(60):
            events = make_events(dice, f"mutilated-{number}", 20)
            body = b'{"events":[' + b",".join(event.document for event in events) + b"]}"
            answers[post(service, *dice.choice(WAYS)(body, dice))] += 1
        load.wait_for_more(300)
    assert set(answers) <= {400, 413, 415, 422}, answers
    struck("embedded", "body mutilated", answers.total())
    assert_counted_once(service, load.ledger)


def post(service: RunningService, body: bytes, headers: str) -> int:
    """The status of the answer to exactly these bytes."""
    head = (
        f"POST /api/v1/events/batch HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}"
        f"x-api-key: {service.api_key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), 30) as connection:
        connection.sendall(head.encode() + body)
        with connection.makefile("rb") as answer:
            return int(answer.readline().split()[1])

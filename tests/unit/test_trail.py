"""Ids of requests: what may be one, and how many a message names."""

import pytest

from service import trail


@pytest.mark.parametrize("given", [b"a", b"4bf92f35-77b3", b"Root=1-67:req/7", b"x" * 64])
def test_an_id_that_fits_into_a_line_is_kept(given):
    assert trail.begin(given) == given.decode() == trail.current()


@pytest.mark.parametrize(
    "given", [None, b"", b"x" * 65, b"a b", b'{"a":1}', b"a\nb", b"\xff", b"a,b"]
)
def test_any_other_is_replaced_by_one_of_our_own(given):
    first, second = trail.begin(given), trail.begin(given)
    assert first != second
    assert trail.begin(first.encode()) == first


def test_a_message_names_each_request_once_and_not_too_many():
    assert trail.named(["a", "b", "", "a"]) == {trail.REQUESTS: "a,b"}
    assert trail.named(["", ""]) == {}
    many = trail.named(map(str, range(100)))[trail.REQUESTS]
    assert many.split(",") == [str(n) for n in range(trail.MOST_NAMED)]


def test_a_line_of_the_log_says_the_request_that_it_is_about():
    trail.begin(b"r1")
    assert trail.tell(None, "info", {"event": "a.b"}) == {"event": "a.b", "request_id": "r1"}

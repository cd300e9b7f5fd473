"""Both have a message that could not be stored; each sees his own alone, and lets that go."""

from itertools import count
from typing import Any

from tests.flows.tenants.side import Side

LETTERS = "/api/v1/dead-letters"
_origins = count(1 << 40)


def mend_letters(mine: Side, other: Side) -> None:
    his, others = _put_aside(mine), _put_aside(other)
    for number in (others, his):
        strange = number == others
        sent = mine.call("POST", f"{LETTERS}/{number}/replay", json={"events": [{}]})
        assert sent.status_code == (404 if strange else 400), sent.text
    assert mine.call("DELETE", f"{LETTERS}/{others}").status_code == 404
    for side, number in ((mine, his), (other, others)):
        assert side.call("DELETE", f"{LETTERS}/{number}").status_code == 204
        assert _letters(side) == []


def _put_aside(side: Side) -> int:
    """The number of a letter of this tenant, the only one that he is told of."""
    put = side.whole.parts.stream.put_dead_letter
    side.whole.run(put(side.environment_id, next(_origins), "for a test", side.email.encode()))
    [letter] = _letters(side)
    assert letter["text"] == side.email
    return int(letter["number"])


def _letters(side: Side) -> list[dict[str, Any]]:
    answer = side.call("GET", LETTERS)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"]["deadLetters"])

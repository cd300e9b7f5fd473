"""E-mail addresses: what is one, and which two are the same."""

import pytest

from service.accounts.addresses import account_of
from service.errors import InvalidInput


@pytest.mark.parametrize("text", ["Ada@Example.COM", "ada@example.com"])
def test_case_makes_no_other_account(text):
    assert account_of(text) == "ada@example.com"


@pytest.mark.parametrize("text", ["a+b@x.test", "ünï@münchen.de"])
def test_international_ones_and_those_of_tests_are_taken(text):
    assert "@" in account_of(text)


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "ada@localhost",
            "ada@@example.com",
            "a b@example.com",
        ],
        *["ada@example.com\nBcc: all@example.com", "Ada <ada@example.com>", "ada@[127.0.0.1]"],
        *[
            f"{'a' * 65}@example.com",
            f"a@{'x.' * 130}com",
            "ada@example.com\x00",
            "ada@exam\ud800.de",
        ],
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidInput) as refused:
        account_of(text)
    assert refused.value.field == "email"

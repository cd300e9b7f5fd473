"""E-mail addresses, in the one form by which accounts are told apart."""

from email_validator import EmailNotValidError, validate_email

from service.errors import InvalidInput

_LONGEST = 254
"""Characters of an address (RFC 5321, 4.5.3.1.3)."""


def account_of(text: str) -> str:
    """The address in lower case: two that differ by nothing else are one account.

    Whether letters arrive there is not asked of anybody. Raises InvalidInput.
    """
    try:
        if len(text) > _LONGEST:
            raise EmailNotValidError(f"it has more than {_LONGEST} characters")
        valid = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise InvalidInput(f"this is not a valid e-mail address: {error}", "email") from None
    return valid.normalized.lower()


def masked(address: str) -> str:
    """An address that its owner recognises and nobody else can write to: `a…@example.com`."""
    return f"{address[0]}…@{address.rpartition('@')[2]}"

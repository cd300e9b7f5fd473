"""What another system says went wrong, fit to be shown: short, on one line, without secrets."""

from collections.abc import Iterable

from service.redaction import MASK, masked

LONGEST = 300
"""Characters."""


def said(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """The words of an error, or else its kind; the secrets of the connector masked."""
    text = " ".join(str(error).split()) or type(error).__name__
    for secret in secrets:
        text = text.replace(secret, MASK) if secret else text
    return masked(text)[:LONGEST]

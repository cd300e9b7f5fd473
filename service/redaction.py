"""What nobody may read in a log or a message: fields named like secrets, texts that look like some,
and the secrets of this process's settings wherever they turn up.
"""

import re
from collections.abc import Iterable, MutableMapping
from typing import Any

MASK = "********"

_FIELD = re.compile(
    r"key|token|secret|password|authorization|cookie|signature|nonce|body|code$", re.I
)
_TEXT = re.compile(
    r"ev[plst]_[\w-]{8,}"  # keys, codes for listening, signing secrets, signing tokens
    r"|(?<=://)[^/\s]*@"  # who signs in at a URL, and with what
    r"|(?:Bearer|Basic)\s+\S+|HMAC-SHA256\s+v=\S+"
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]*"
)
_LEAST = 4
"""A shorter secret is no secret, and would be masked out of words."""
_NOTHING = re.compile(r"(?!)")


class _Known:
    """The secrets of this process."""

    texts = _NOTHING


def know(secrets: Iterable[str]) -> None:
    """Mask these texts too, from now on, instead of those known before."""
    texts = sorted((text for text in secrets if len(text) >= _LEAST), key=len, reverse=True)
    _Known.texts = re.compile("|".join(map(re.escape, texts))) if texts else _NOTHING


def is_secret(name: str) -> bool:
    """Whether a field or a header of this name holds what nobody may read."""
    return bool(_FIELD.search(name))


def masked(text: str) -> str:
    """The text without the secrets in it."""
    return _Known.texts.sub(MASK, _TEXT.sub(MASK, text))


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask fields that are named like secrets, and secrets inside texts, however deep they are."""
    for name, value in event.items():
        event[name] = value if name == "event" else _redacted(name, value)
    return event


def _redacted(name: Any, value: Any) -> Any:
    if isinstance(name, str) and is_secret(name):
        return MASK
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: _redacted(key, inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_redacted(None, inner) for inner in value]
    return value

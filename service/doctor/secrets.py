"""Whether secrets can be guessed, and who can read them on the disk."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from service.doctor.remark import Part, Remark
from service.settings import Settings

_PART = Part("secrets")
_LEAST_BITS = {"SECRET_KEY": 100, "HEADRACE_BOOTSTRAP_API_KEY": 80}
_LEAST_PASSWORD_BITS = 40
_WORDS = re.compile(r"secret|password|change.?me|example|default|admin|12345|qwerty|headrace", re.I)
_ADVICE = (
    'make one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`'
    " and set it in its place"
)
PRIVATE = ("secret_key", "run.json", "work.json", "stream/password", "stream/nats.conf")
"""Files of the data directory with secrets in them."""


def bits(text: str) -> float:
    """Shannon's entropy of the characters, in bits: no more than guessing costs, often less.

    Words that everybody tries first count for nothing.
    """
    rest = _WORDS.sub("", text)
    counts = Counter(rest)
    return -sum(n * math.log2(n / len(rest)) for n in counts.values()) if rest else 0.0


def examine_secrets(settings: Settings) -> Iterator[Remark]:
    """Each secret that is set, and the files that hold some."""
    for variable, secret, least in _set(settings):
        if bits(secret) < least:
            yield _PART.wrong(variable, "easy to guess: short, regular, or known words", _ADVICE)
        else:
            yield _PART.right(variable, "hard to guess")
    yield from _readable(settings.data_dir)
    if not settings.secret_key and settings.environment == "development":
        yield _PART.right("SECRET_KEY", "made at the first start, kept in the data directory")


def _set(settings: Settings) -> Iterator[tuple[str, str, float]]:
    for variable, secret in (
        ("SECRET_KEY", settings.secret_key),
        ("HEADRACE_BOOTSTRAP_API_KEY", settings.bootstrap_api_key),
    ):
        if secret:
            yield variable, secret, _LEAST_BITS[variable]
    for variable, url in (
        *(("NATS_URL", server) for server in settings.nats_servers),
        ("CLICKHOUSE_URL", settings.clickhouse_url),
        ("POSTGRES_URL", settings.postgres_url),
        ("REDIS_URL", settings.redis_url),
    ):
        if password := urlsplit(url).password:
            yield f"{variable}'s password", unquote(password), _LEAST_PASSWORD_BITS


def _readable(data_dir: Path) -> Iterator[Remark]:
    """Files with secrets that others on this machine may read."""
    there = [name for name in PRIVATE if (data_dir / name).exists()]
    open_to_others = [name for name in there if (data_dir / name).stat().st_mode & 0o077]
    for name in open_to_others:
        yield _PART.wrong(name, "others on this machine may read it", f"chmod 600 {name}")
    if there and not open_to_others:
        yield _PART.right("files", "nobody but their owner reads those with secrets")

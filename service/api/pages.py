"""Pages in a browser: what they may do, and the files that they are made of."""

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

from service.api.answers import Answer, Header

_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".png": b"image/png",
}


def page_headers(styles: str = "'self'") -> dict[str, str]:
    """A page that keeps to itself: nobody frames it, shares its window, or loads its files
    elsewhere, and it runs no script and asks nobody but the service. `styles` come from where."""
    return {
        "content-security-policy": (
            f"default-src 'none'; script-src 'self'; style-src {styles}; img-src 'self' data:; "
            "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ),
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }


@dataclass(frozen=True, slots=True)
class _File:
    kind: bytes
    etag: bytes
    content: bytes
    packed: bytes
    """The same with gzip."""


def file_answer(path: Path, asked: dict[bytes, bytes], *headers: Header) -> Answer:
    """A file, as the headers of a request ask for it: packed, or not at all if it is known."""
    found = _file(path)
    known = ((b"etag", found.etag), (b"cache-control", b"no-cache"), (b"vary", b"accept-encoding"))
    if found.etag in asked.get(b"if-none-match", b""):
        return Answer(304, b"", *known, *headers)
    packs = b"gzip" in asked.get(b"accept-encoding", b"")
    content = found.packed if packs else found.content
    packing = ((b"content-encoding", b"gzip"),) if packs else ()
    length = (b"content-length", b"%d" % len(content))
    return Answer(200, content, (b"content-type", found.kind), length, *known, *packing, *headers)


@cache
def _file(path: Path) -> _File:
    content = path.read_bytes()
    etag = b'"%s"' % blake2b(content, digest_size=8).hexdigest().encode()
    return _File(_TYPES[path.suffix], etag, content, gzip.compress(content, mtime=0))

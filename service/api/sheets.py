"""Answers as files: which form is asked for, and what a table is sent as."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from service.api.answers import Header, Headers, iso
from service.api.openapi import refusal, text_parameter
from service.formats.choice import JSON, TABLES, Format, format_asked
from service.query.cache import Served

SHEETS = (JSON, *TABLES)
"""What an answer with rows can be had as."""
FORM_PARAMETERS = [
    text_parameter("format", "As which the rows come; before `Accept`.", [f.name for f in SHEETS])
]
FORM_ANSWERS = [refusal(406, "There is no such form; the message names those there are.")]
"""What a route takes and answers whose rows are to be had in all of them."""

Table = Callable[[Mapping[str, Any]], pa.Table]
"""Makes a table of a document, as JSON is read."""
Encode = Callable[[Format, pa.Table], bytes]


def form_asked(
    raw: Mapping[str, str], headers: Headers, allowed: Sequence[Format] = SHEETS
) -> tuple[Format, Mapping[str, str]]:
    """The form that a request asks for, and its other parameters. Raises NotAcceptable."""
    form = format_asked(raw.get("format"), headers.get(b"accept", b"").decode("latin-1"), allowed)
    return form, {name: value for name, value in raw.items() if name != "format"}


def etag_of(served: Served, form: Format) -> bytes:
    """The tag of an answer in a form: another one in each."""
    ending = "" if form is JSON else f"-{form.name}"
    return f'{served.etag[:-1]}{ending}"'.encode()


async def sheet_of(
    served: Served, form: Format, table: Table, name: str, encode: Encode
) -> tuple[bytes, Sequence[Header]]:
    """The rows of an answer as a file of that name, and the headers that go with it."""
    document = msgspec.json.decode(served.document)
    content = await asyncio.to_thread(lambda: encode(form, table(document)))
    told = [*file_headers(form, name), (b"x-as-of", iso(served.as_of).encode())]
    if cursor := document.get("cursor"):
        told.append((b"x-next-cursor", cursor.encode()))
    return content, told


def file_headers(form: Format, name: str) -> Sequence[Header]:
    """What a file is, and under which name it is kept; the name is plain ASCII."""
    disposition = f'attachment; filename="{name}.{form.ending}"'.encode()
    return [(b"content-type", form.content_type), (b"content-disposition", disposition)]

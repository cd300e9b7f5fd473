"""What an API's answer says of the rows of a request."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from service.delivery.outcomes import Retry, Stopped, Verdict

LONGEST_MESSAGE = 300

_STOPS: Mapping[int, str] = {
    401: "the API does not accept the credentials",
    403: "the credentials may not do this",
    404: "there is nothing at this address",
    405: "the method is not allowed at this address",
    407: "a proxy asks for credentials",
    410: "there is nothing at this address any more",
}
_LATER = frozenset({408, 425, 429})
_WORDS = ("message", "detail", "error_description", "title", "error", "errors", "details")
_EMAIL = re.compile(r"[^\s@\"'<>]{1,64}@[^\s@\"'<>]{1,255}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Answer:
    """An answer, read once: status, headers by lower-case names, body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.headers = headers
        self.document, self.readable = _document(body)
        self.status = _said_status(status, self.document)

    @property
    def retry_after(self) -> float:
        """Seconds that the API asks to wait; 0 when it does not ask."""
        return seconds_asked(self.headers.get("retry-after", ""))

    @property
    def broken(self) -> bool:
        """Whether it is none that an API gives: half a JSON text, a page of a proxy."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return not self.readable and (kind == "text/html" or kind.endswith(("/json", "+json")))

    def message(self, hidden: Sequence[str] = ()) -> str:
        """What the API says is wrong, without the texts that are to be hidden."""
        text = _words(self.document)
        if not text and isinstance(self.document, str):
            text = self.document
        return hide(text, hidden)


def verdict(answer: Answer, retried: Sequence[int], hidden: Sequence[str] = ()) -> Verdict:
    """What an answer says of the row, or of every row, that was sent.

    Raises Retry when it may say something else later, Stopped when it says it of every other row.
    """
    status = answer.status
    if 200 <= status < 300:
        if status != 201 and answer.broken:
            raise Retry(f"{status} with a body that cannot be read", status, lost=True)
        return Verdict("created", status)
    if status == 409:
        return Verdict("duplicate", status, answer.message(hidden))
    if status in retried or status in _LATER:
        reason = answer.message(hidden) or f"answered {status}"
        raise Retry(reason, status, answer.retry_after)
    if status in _STOPS or 300 <= status < 400:
        why = _STOPS.get(status, "the address has moved; see base_url and endpoints")
        raise Stopped(f"{status}: {why}. {answer.message(hidden)}".strip())
    if 400 <= status < 500:
        return Verdict("rejected", status, answer.message(hidden) or f"answered {status}")
    return Verdict("failed", status, answer.message(hidden) or f"answered {status}")


def each(answer: Answer, rows: int) -> Sequence[Answer] | None:
    """The answers to the rows of one request, if it tells them one by one: a list, alone or under
    `results`, of as many objects with a `status`."""
    if not 200 <= answer.status < 300:
        return None
    found = answer.document
    if isinstance(found, dict):
        found = found.get("results")
    if not isinstance(found, list) or len(found) != rows:
        return None
    if not all(isinstance(one, dict) and _is_status(one.get("status")) for one in found):
        return None
    return [Answer(one["status"], answer.headers, msgspec.json.encode(one)) for one in found]


def seconds_asked(text: str) -> float:
    """`Retry-After`: seconds or a date (RFC 9110, 10.2.3); 0 for what is neither."""
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def hide(text: str, hidden: Sequence[str]) -> str:
    """A text of strangers on one line, no longer than a report has room for, without the texts
    that are to be hidden and with no more of an e-mail address than its beginning."""
    text = _UNPRINTABLE.sub(" ", text[: 20 * LONGEST_MESSAGE])
    for secret in sorted((one for one in hidden if len(one) > 2), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _EMAIL.sub(lambda found: f"{found[0].partition('@')[0][:2]}***", text)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"


def _document(body: bytes) -> tuple[Any, bool]:
    """The JSON of a body, or its text; and whether it is JSON, or nothing at all."""
    if not body.strip():
        return None, True
    try:
        return msgspec.json.decode(body), True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body[: 20 * LONGEST_MESSAGE].decode("utf-8", "replace"), False


def _said_status(status: int, document: Any) -> int:
    """The status; some platforms answer 200 with the real one in `status_code` beside `error`."""
    if 200 <= status < 300 and isinstance(document, dict) and document.get("error"):
        said = document.get("status_code")
        return said if isinstance(said, int) and 400 <= said <= 599 else status
    return status


def _is_status(value: Any) -> bool:
    return type(value) is int and 100 <= value <= 599


def _words(document: Any) -> str:
    """What an error's body says, in the words under its usual names."""
    if isinstance(document, str):
        return document
    if isinstance(document, list):
        return "; ".join(filter(None, map(_words, document[:5])))
    if not isinstance(document, dict):
        return ""
    said = [_words(document[word]) for word in _WORDS if document.get(word)]
    if not said:
        field = document.get("field") or document.get("loc") or ""
        return f"{field} {document.get('msg') or document.get('issue') or ''}".strip()
    return ": ".join(dict.fromkeys(filter(None, said)))

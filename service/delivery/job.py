"""Makes a job of a file and a configuration, once everything about both has been checked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from service.delivery.config import Api, Config
from service.delivery.journal import Entry
from service.delivery.run import Job, pending_of
from service.delivery.shaping import Shape
from service.errors import InvalidInput
from service.formats.csv_rows import CsvFile, examined
from service.redaction import MASK, is_secret

_REASONS = 10


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would be sent."""

    requests: Sequence[dict[str, Any]]
    """The first ones, secrets masked."""
    rows: int
    invalid: int
    reasons: Sequence[tuple[str, int]]
    """Why rows would not be sent, the commonest first, with how many."""


def prepared(file: Path, config: Config, api: str, mapping: str, folder: Path | None) -> Job:
    """The job of delivering a file. Reads all of it once. Raises InvalidInput.

    Without a folder the journal stands beside the file, in one named after it and the API.
    """
    name, target = config.api(api)
    fields = config.mapping(mapping or target.mapping)
    found = examined(file, config.csv.encoding or "", config.csv.delimiter or "")
    table = CsvFile(file, found.form)
    shape = Shape(table.header, config.columns, fields, config.report.key_columns)
    place = folder or file.with_name(f"{file.name}.delivery") / _safe(name)
    return Job(table, found, target, shape, _fingerprint(config, fields), place)


def rehearsed(job: Job, shown: int) -> Rehearsal:
    """Make every row into what would be sent, and send nothing."""
    requests: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    rows = 0
    for row in job.file.rows():
        rows += 1
        pending = pending_of(row, job.shape)
        if isinstance(pending, Entry):
            reasons[pending.reason.removeprefix("not sent: ")] += 1
        elif len(requests) < shown:
            requests.append(_request(job.api, row.number, pending.piece.body))
    return Rehearsal(requests, rows, reasons.total(), reasons.most_common(_REASONS))


def _request(api: Api, row: int, body: bytes) -> dict[str, Any]:
    worn = {name: MASK if is_secret(name) else value for name, value in api.headers.items()}
    kind = type(api.authentication).__struct_config__.tag
    return {
        "row": row,
        "method": api.method,
        "url": api.rows_url,
        "headers": worn,
        "authentication": kind if kind == "none" else f"{kind} {MASK}",
        "body": msgspec.json.decode(body),
    }


def _fingerprint(config: Config, fields: dict[str, str] | None) -> str:
    """Of what rows are made into: with another one, a refused row may be taken."""
    made_by = msgspec.json.encode([config.columns, fields, config.csv], order="deterministic")
    return blake2b(made_by, digest_size=16).hexdigest()


def _safe(name: str) -> str:
    """The name of an API as the name of a folder. Raises InvalidInput when it can be none."""
    kept = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in name)
    if not kept.strip("."):
        raise InvalidInput(f"{name!r} is no name for an API")
    return kept

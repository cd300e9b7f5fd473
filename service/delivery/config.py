"""What a delivery is told: which APIs there are, how to sign in, how hard to try, what to send.

The words are those of `api_config.json`; times are seconds.
"""

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from service.delivery.columns import Column
from service.errors import InvalidInput
from service.redaction import is_secret

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0)]
Text = Annotated[str, Meta(min_length=1)]
Status = Annotated[int, Meta(ge=100, le=599)]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the configuration; a word that it does not know is an error."""


class NoAuthentication(Part, frozen=True, tag_field="type", tag="none"):
    """The API asks for nothing."""


class BearerToken(Part, frozen=True, tag_field="type", tag="bearer_token"):
    """`Authorization: Bearer …`; the token may stand under either name."""

    bearer_token: str = ""
    api_key: str = ""

    def __post_init__(self) -> None:
        if not (self.bearer_token or self.api_key):
            raise ValueError("bearer_token needs a `bearer_token` (or `api_key`)")


class ApiKey(Part, frozen=True, tag_field="type", tag="api_key"):
    """A key in a header."""

    api_key: Text
    header_name: Text = "X-API-Key"


class Basic(Part, frozen=True, tag_field="type", tag="basic"):
    """A user name and a password with every request."""

    username: Text
    password: str


class OAuth2(Part, frozen=True, tag_field="type", tag="oauth2"):
    """Client credentials: a token that is fetched once and renewed before it ends."""

    client_id: Text
    client_secret: Text
    token_url: Text
    scope: str | None = None


Authentication = NoAuthentication | BearerToken | ApiKey | Basic | OAuth2
AUTHENTICATIONS = [kind.__struct_config__.tag for kind in get_args(Authentication)]
"""The types of authentication."""


class Settings(Part, frozen=True):
    """How hard to try, and how gently. See docs/delivery.md for each."""

    timeout: Annotated[float, Meta(gt=0)] = 30.0
    batch_size: Positive = 10
    retry_attempts: Annotated[int, Meta(ge=0)] = 3
    backoff_factor: Seconds = 1.0
    retry_on_status: list[Status] = msgspec.field(default_factory=lambda: [429, 500, 502, 503, 504])
    delay_between_batches: Seconds | None = None
    max_concurrent_requests: Annotated[int, Meta(ge=1, le=1000)] = 5
    adaptive: bool = False
    rows_per_request: Annotated[int, Meta(ge=1, le=10_000)] = 1
    longest_retry_after: Seconds = 900.0
    breaker_failures: Positive = 10
    breaker_pause: Annotated[float, Meta(gt=0)] = 30.0
    breaker_patience: Seconds = 600.0


class Api(Part, frozen=True):
    """One API: where it is, how to sign in, what to call it with."""

    base_url: Annotated[str, Meta(pattern=r"^https?://[^/\s]+")]
    endpoints: dict[str, str]
    authentication: Authentication = NoAuthentication()
    settings: Settings = Settings()
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: dict[str, str] = {}
    idempotency_header: Text = "Idempotency-Key"
    mapping: str = ""
    endpoint: str = "customers"

    def __post_init__(self) -> None:
        if self.endpoint not in self.endpoints:
            named = ", ".join(self.endpoints) or "none"
            raise ValueError(f"endpoints lacks `{self.endpoint}`, where rows go; it has: {named}")

    @property
    def rows_url(self) -> str:
        """Where rows are sent to."""
        return self.url_of(self.endpoint)

    def url_of(self, endpoint: str) -> str:
        """A URL of its own, or a path below the base."""
        path = self.endpoints[endpoint]
        if path.startswith(("http://", "https://")):
            return path
        return f"{self.base_url.rstrip('/')}/{path.lstrip('/')}"

    @property
    def secrets(self) -> list[str]:
        """What nobody may read anywhere."""
        kind = self.authentication
        named = ("bearer_token", "api_key", "password", "client_secret")
        worn = [value for name, value in self.headers.items() if is_secret(name)]
        return [*filter(None, (getattr(kind, name, "") for name in named)), *worn]


class Reported(Part, frozen=True):
    """What a report says of a row beside its number."""

    key_columns: list[str] = []


class Table(Part, frozen=True):
    """How the CSV file is to be read, where looking at it is not enough."""

    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    encoding: Text | None = None


Mapping = dict[str, Text]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration file."""

    apis: dict[str, Api]
    api_mappings: dict[str, Mapping] = {}
    columns: dict[str, Column] = {}
    report: Reported = Reported()
    csv: Table = Table()

    def api(self, name: str = "") -> tuple[str, Api]:
        """The API of this name, or the only one. Raises InvalidInput."""
        if not name and len(self.apis) == 1:
            return next(iter(self.apis.items()))
        if name in self.apis:
            return name, self.apis[name]
        there = ", ".join(self.apis)
        wrong = f"there is no API {name!r}" if name else "which API? name one with --api"
        raise InvalidInput(f"{wrong}; the configuration has: {there}")

    def mapping(self, name: str) -> Mapping | None:
        """The mapping of this name; None, every column under its own name, for none.

        Raises InvalidInput.
        """
        if not name:
            return None
        if name in self.api_mappings:
            return self.api_mappings[name]
        there = ", ".join(self.api_mappings) or "none"
        raise InvalidInput(f"there is no mapping {name!r}; api_mappings has: {there}")


def schema() -> dict[str, object]:
    """The JSON schema of a configuration file, for editors."""
    kinds = [Api, dict[str, Mapping], dict[str, Column], Reported, Table]
    (api, mappings, columns, report, csv), parts = msgspec.json.schema_components(kinds)
    shared = {
        "$schema": {"type": "string"},
        "api_mappings": mappings,
        "columns": columns,
        "report": report,
        "csv": csv,
    }
    alone = parts["Api"]["properties"]
    many = {"type": "object", "properties": shared, "additionalProperties": api}
    one = {"type": "object", "required": ["base_url", "endpoints"], "properties": alone | shared}
    closed = {**one, "additionalProperties": False}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "api_config.json",
        "if": {"required": ["base_url"], "properties": {"base_url": {"type": "string"}}},
        "then": closed,
        "else": many,
        "$defs": parts,
    }

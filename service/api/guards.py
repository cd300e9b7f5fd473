"""Who calls, and whether they may: keys, signatures, session tokens; the rule of each route."""

from dataclasses import dataclass, replace
from typing import Protocol

from service.accounts.environments import DEFAULT_ENVIRONMENT
from service.accounts.memberships import MEMBER, OWNER
from service.accounts.principals import Principal
from service.accounts.sessions import SESSION_MARK, SignedIn
from service.accounts.signatures import Signed
from service.accounts.tokens import is_token
from service.api.answers import Headers
from service.api.signed_requests import is_signed, signed
from service.errors import (
    Forbidden,
    HeadraceError,
    InvalidKey,
    MissingKey,
    NotFound,
    Unauthenticated,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call a route. Each route declares one; a test holds every route to it."""

    about: str
    """As the documentation says it."""
    scopes: tuple[str, ...] = ()
    """The caller needs one of these."""
    keys: bool = False
    """Whether an API key will do."""
    sessions: bool = False
    """Whether a session token will do."""
    public: bool = False
    """Whether nobody needs to be named while there is an environment with public metrics."""
    operator: bool = False
    """Whether it takes the operator's token, and nothing else."""
    counted: bool = False
    """Whether the calls of an address are limited."""
    tiered: bool = False
    """Whether the calls of a caller are limited by his tier."""
    in_body: bool = False
    """Whether the key may stand in the body: the caller's limit is counted when that is read."""
    services: bool = False
    """Whether the token of a service account will do where a user's does."""
    partners: bool = False
    """Whether it takes a partner's signing token and signature, and nothing else."""
    superuser: bool = False
    """Whether the user must be superuser."""
    role: str = ""
    """What he must be of what the path names, or of the environment of the request where it names
    nothing; superusers need not be."""


OPEN = Rule("anybody")
OPERATOR = Rule("the operator's token", operator=True)
SENDS = Rule("a key with `ingest`", ("ingest",), keys=True)
FOLLOWS = Rule(
    "a key with `ingest` or `read`, or a member",
    ("ingest", "read"),
    keys=True,
    sessions=True,
    services=True,
)
READS = Rule(
    "a key with `read`, or a member; nobody in particular where metrics are public",
    ("read",),
    keys=True,
    sessions=True,
    services=True,
    public=True,
)
INGESTS = replace(SENDS, tiered=True)
LOOKS_IN = replace(OPEN, tiered=True)
FOLLOWS_RECEIPTS = replace(FOLLOWS, tiered=True)
ASKS = replace(READS, tiered=True)
QUERIES = replace(ASKS, about="a key with `read`, or a member", public=False)
ASKS_SQL = replace(QUERIES, about="a key with `sql`, or an owner", scopes=("sql",))
PARTNERS = Rule("a partner with a signing token", partners=True)
SIGNS_IN = Rule("anybody", counted=True)
SIGNED_IN = Rule("a user", sessions=True, counted=True)
IS_KNOWN = Rule("a user or his service account", sessions=True, services=True)
ACTS = Rule("a user, outside `/api/auth`", sessions=True)
LOOKS_BACK = replace(ACTS, tiered=True)
OWNS_HERE = Rule("an owner of the environment of the request", sessions=True, role=OWNER)
INVITES = Rule(
    "an owner of the environment of the request, or of the team named", sessions=True, role=OWNER
)
IS_HIMSELF = Rule("the user himself, or a superuser", sessions=True)
BELONGS_TO_IT = Rule(
    "a member of it, or his service account", sessions=True, services=True, role=MEMBER
)
OWNS_IT = Rule("an owner of it", sessions=True, role=OWNER)
BELONGS_TO_ITS_ENVIRONMENT = replace(
    BELONGS_TO_IT, about="a member of its environment, or his service account"
)
IS_IN_IT = replace(
    BELONGS_TO_IT, about="a member of it or an owner of its environment, or his service account"
)
WORKS_IN_TEAM = replace(
    BELONGS_TO_IT,
    about="a member of its team or an owner of its environment, or his service account",
)
SEES_PIPELINES = Rule(
    "a key with `read`, a member of its team, or an owner of its environment",
    ("read",),
    keys=True,
    sessions=True,
    services=True,
    tiered=True,
    role=MEMBER,
)
KEEPS_PIPELINES = replace(
    SEES_PIPELINES,
    about="a key with `admin`, a member of its team, or an owner of its environment",
    scopes=("admin",),
)
GOVERNS = Rule("a superuser", sessions=True, superuser=True)
MAKES_KEYS = Rule("a user who owns the environment", ("admin",), sessions=True, counted=True)
KEEPS_KEYS = Rule(
    "a key with `admin`, or a user who owns the environment",
    ("admin",),
    keys=True,
    sessions=True,
    counted=True,
)


ADMINISTERS = replace(KEEPS_KEYS, counted=False, tiered=True)
OWNS = replace(MAKES_KEYS, counted=False, tiered=True)
_ANYBODY = Rule("whoever has a credential", keys=True, sessions=True, services=True)


class Verifier(Protocol):
    """What the gate needs of the keys."""

    async def verify(self, text: str) -> Principal: ...

    async def still(self, key_id: str) -> Principal: ...


class SignatureVerifier(Protocol):
    """What the gate needs of the signatures."""

    async def verify(self, request: Signed) -> Principal: ...


class SessionVerifier(Protocol):
    """What the gate needs of the sessions."""

    async def verify(self, token: str) -> SignedIn: ...

    async def still(self, session_id: str) -> SignedIn: ...


class Openness(Protocol):
    """What the gate needs of the environments."""

    async def is_public(self, environment_id: str) -> bool:
        """Whether anybody may see its metrics."""
        ...


class Gate:
    """Lets a request in as somebody, or not at all.

    A key is read from `x-api-key`, or from `Authorization: Bearer evp_…`; a session token from
    `Authorization: Bearer eyJ…`. Where a route takes keys, `x-api-key` is asked first. A user says
    in `x-env-id` for which of his environments he speaks, if it is not the one where he works.
    A key that signs is not sent at all: `Authorization: HMAC-SHA256 …`.
    """

    def __init__(
        self,
        keys: Verifier,
        signatures: SignatureVerifier,
        sessions: SessionVerifier,
        environments: Openness,
    ) -> None:
        self._keys = keys
        self._signatures = signatures
        self._sessions = sessions
        self._environments = environments

    async def caller(self, headers: Headers, rule: Rule) -> Principal:
        """For whom the request speaks, if the rule lets them.

        Raises MissingKey, InvalidKey, InvalidSignature, Unauthenticated, Forbidden, NotFound for an
        environment that is not his, NoEnvironment; Retryable when nobody can say.
        """
        return _with_scope(await self._principal(headers, rule), rule)

    async def known(self, headers: Headers) -> Principal | None:
        """Who calls, if his credential is good, whatever he may do."""
        try:
            return await self._principal(headers, _ANYBODY)
        except HeadraceError:
            return None

    async def reader(self, headers: Headers) -> str:
        """The tenant whose metrics the caller sees: his own, or a public one for nobody."""
        if b"x-api-key" not in headers and b"authorization" not in headers:
            tenant = environment_of(headers) or DEFAULT_ENVIRONMENT
            if not await self._environments.is_public(tenant):
                raise MissingKey("these metrics are not public: send an API key in x-api-key")
            return tenant
        return (await self.caller(headers, READS)).tenant

    async def still(self, credential_id: str, tenant: str, rule: Rule) -> Principal:
        """For whom a credential speaks in an environment, of which a request that goes on came.

        Raises what `caller` would raise if it came now.
        """
        if credential_id.startswith(SESSION_MARK):
            principal = (await self._sessions.still(credential_id)).within(tenant)
        else:
            principal = await self._keys.still(credential_id)
        return _with_scope(principal, rule)

    async def still_signed_in(self, session_id: str, rule: Rule) -> SignedIn:
        """Who is signed in still, of a session that was good before. Raises as `user` does."""
        return _let_in(await self._sessions.still(session_id), rule)

    async def user(self, headers: Headers, rule: Rule) -> SignedIn:
        """Who is signed in, if the rule lets him. Raises Unauthenticated or Forbidden."""
        token = _bearer(headers)
        if token is None:
            raise Unauthenticated("sign in, and send the token as Authorization: Bearer")
        return _let_in(await self._sessions.verify(token), rule)

    async def either(self, headers: Headers, rule: Rule) -> SignedIn | Principal:
        """Who is signed in, or for whom a key speaks, if the rule lets them.

        What a user may do is then to be seen; the scopes of the rule are for keys.
        """
        text = None if is_signed(headers) else key_of(headers)
        if text and is_token(text) and b"x-api-key" not in headers:
            return await self.user(headers, rule)
        return await self.caller(headers, rule)

    async def _principal(self, headers: Headers, rule: Rule) -> Principal:
        if not rule.keys:
            return (await self.user(headers, rule)).within(environment_of(headers))
        if is_signed(headers):
            return _within(await self._signer(headers), headers)
        text = key_of(headers)
        if text is None:
            raise MissingKey("send an API key in the header x-api-key")
        if is_token(text) and b"x-api-key" not in headers:
            if not rule.sessions:
                raise MissingKey("a session token does not do here: send an API key in x-api-key")
            return (await self.user(headers, rule)).within(environment_of(headers))
        return _within(await self._keys.verify(text), headers)

    async def _signer(self, headers: Headers) -> Principal:
        """Who signed. A signature is good once, and may be asked for twice in one request."""
        if headers.signer is None:
            headers.signer = await self._signatures.verify(signed(headers))
        return headers.signer


def environment_of(headers: Headers) -> str | None:
    """The environment that the request names in `x-env-id`, if it names one."""
    return headers.get(b"x-env-id", b"").decode("latin-1").strip() or None


def _with_scope(principal: Principal, rule: Rule) -> Principal:
    if not any(scope in principal.scopes for scope in rule.scopes):
        raise Forbidden(f"this needs the scope {' or '.join(rule.scopes)}")
    return principal


def _within(principal: Principal, headers: Headers) -> Principal:
    """A key speaks for its own environment, whether that is named or not."""
    if environment_of(headers) not in (None, principal.tenant):
        raise NotFound("this key belongs to another environment than x-env-id names")
    return principal


def _let_in(signed_in: SignedIn, rule: Rule) -> SignedIn:
    if signed_in.only and not rule.services:
        raise Forbidden("this is not for service accounts: sign in")
    if rule.superuser and not signed_in.user.is_superuser:
        raise Forbidden("this is for superusers")
    return signed_in


def key_of(headers: Headers) -> str | None:
    """The key's text; None when the request carries none. Raises InvalidKey for another scheme."""
    if (text := headers.get(b"x-api-key")) is not None:
        return text.decode("latin-1").strip()
    if b"authorization" not in headers:
        return None
    if (credential := _bearer(headers)) is None:
        raise InvalidKey("of Authorization the schemes Bearer and HMAC-SHA256 are understood")
    return credential


def _bearer(headers: Headers) -> str | None:
    scheme, _, credential = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None

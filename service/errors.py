"""Every error that Headrace raises on purpose.

    HeadraceError              code, retryable
    ├── InvalidInput           VALIDATION_ERROR       wrong data; names the field
    │   ├── TooLarge           PAYLOAD_TOO_LARGE      more bytes or items than allowed
    │   ├── UnsupportedMedia   UNSUPPORTED_MEDIA_TYPE not a type or coding that is read
    │   └── NotAcceptable      NOT_ACCEPTABLE         not a form that the answer can have
    │   ├── InvalidSql         SQL_INVALID            a query in SQL that makes no sense; says where
    │   └── SqlNotAllowed      SQL_NOT_ALLOWED        what may not stand in a query; says where
    ├── RequestTimeout         REQUEST_TIMEOUT        the body did not arrive in time
    ├── Unauthenticated        UNAUTHORIZED           no credential, or not a valid one
    │   ├── MissingKey         MISSING_API_KEY
    │   ├── InvalidKey         INVALID_API_KEY
    │   ├── InvalidSignature   INVALID_SIGNATURE      the request is not signed as it has to be
    │   └── InvalidCode        INVALID_CODE           not the code that was mailed
    ├── Forbidden              FORBIDDEN              the credential may not do this
    ├── NotFound               NOT_FOUND
    ├── WrongHost              WRONG_HOST             the request names a host that is not ours
    ├── NoEnvironment          NO_ENVIRONMENT         the caller works in no environment
    ├── Conflict               CONFLICT               not in the state that things are in now
    ├── Refused                                       `code` is all that is told
    │   ├── AddressTaken          REGISTER_USER_ALREADY_EXISTS
    │   ├── NewAddressTaken       UPDATE_USER_EMAIL_ALREADY_EXISTS
    │   ├── BadCredentials        LOGIN_BAD_CREDENTIALS
    │   ├── BadPassword           CHANGE_PASSWORD_BAD_PASSWORD
    │   ├── BadResetToken         RESET_PASSWORD_BAD_TOKEN
    │   └── BadInvitation         INVITATION_BAD_TOKEN
    ├── Retryable                                     may succeed after `retry_after` seconds
    │   ├── IngestionUnavailable  INGESTION_UNAVAILABLE  no acknowledgement; retry the same ids
    │   ├── NotCountedYet         NOT_COUNTED_YET        `after=` waited in vain
    │   ├── QuestionTooBig        QUESTION_TOO_BIG       past the time or memory cap; narrow it
    │   ├── AnalyticsUnavailable  ANALYTICS_UNAVAILABLE  the event store does not answer
    │   ├── AccountsUnavailable   ACCOUNTS_UNAVAILABLE   the accounts' database does not answer
    │   ├── MailUnavailable       MAIL_UNAVAILABLE       no letter could be sent
    │   ├── SigningUnavailable    SIGNING_UNAVAILABLE    nobody can say whether it is a replay
    │   ├── RateLimited           RATE_LIMITED           too often; wait
    │   ├── Overloaded            OVERLOADED             too many at once; wait
    │   ├── BufferFull            BUFFER_FULL            the producer has no room for an event
    │   ├── Undelivered           UNDELIVERED            the producer ended with events left
    │   ├── Unreachable           UNREACHABLE            no answer came; send the same ids again
    │   ├── SourceUnavailable     SOURCE_UNAVAILABLE     a pipeline's source does not answer
    │   └── TargetUnavailable     TARGET_UNAVAILABLE     a pipeline's target does not answer
    │       └── TargetBusy        TARGET_BUSY            it is at it still, or asks to wait
    ├── ConnectorBroken        CONNECTOR_BROKEN       a source or target will not work as it is told
    ├── SealBroken             SEAL_BROKEN            a sealed secret does not open
    ├── SettingsError          SETTINGS               a setting is wrong; the start is refused
    ├── MigrationError         MIGRATION              the schema does not fit this program
    ├── DataDirectoryBusy      DATA_DIR_BUSY          another process holds the data directory
    ├── SpoolBusy              SPOOL_BUSY             another producer holds the spool
    ├── NotRunning             NOT_RUNNING            no service runs on the data directory
    ├── NatsServerFailed       NATS_SERVER            the embedded broker does not come up
    ├── StoreFenced            STORE_FENCED           another writer moved the progress mark
    ├── TransferFailed         TRANSFER               events did not arrive as they were sent
    ├── PoisonMessage          POISON                 a stream message that cannot be read
    └── UnexpectedAnswer       UNEXPECTED_ANSWER      the client does not understand the answer

The core raises them; each face translates them once, at its edge (`service/api/problems.py`).
"""

from typing import ClassVar, Self


class HeadraceError(Exception):
    """The root. `retryable` says whether the same request may succeed later."""

    code: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False


class InvalidInput(HeadraceError):
    """The caller's data is wrong: `field` is the path of what is wrong, the message says how."""

    code = "VALIDATION_ERROR"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class TooLarge(InvalidInput):
    """More bytes or items than the service accepts."""

    code = "PAYLOAD_TOO_LARGE"


class UnsupportedMedia(InvalidInput):
    """The body's content type or coding is not one that is read here."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class NotAcceptable(InvalidInput):
    """The answer cannot have the form that is asked for."""

    code = "NOT_ACCEPTABLE"


class InvalidSql(InvalidInput):
    """The query in SQL cannot be read, or does not fit what there is; the message says where."""

    code = "SQL_INVALID"

    def __init__(self, message: str, field: str | None = "query") -> None:
        super().__init__(message, field)

    @classmethod
    def at(cls, place: tuple[int, int], message: str) -> Self:
        """The error at a line and column of the query, from 1; line 0: nobody knows where."""
        line, column = place
        return cls(f"line {line}, column {column}: {message}" if line else message)


class SqlNotAllowed(InvalidSql):
    """The query in SQL asks for what it may not ask for; the message says where."""

    code = "SQL_NOT_ALLOWED"


class RequestTimeout(HeadraceError):
    """The request's body did not arrive in time."""

    code = "REQUEST_TIMEOUT"
    retryable = True


class Unauthenticated(HeadraceError):
    """No credential, or not a valid one."""

    code = "UNAUTHORIZED"


class MissingKey(Unauthenticated):
    """The `x-api-key` header is missing."""

    code = "MISSING_API_KEY"


class InvalidKey(Unauthenticated):
    """The API key is unknown, expired or revoked."""

    code = "INVALID_API_KEY"


class InvalidSignature(Unauthenticated):
    """The request's signature is missing, malformed, wrong, too old, or was used before."""

    code = "INVALID_SIGNATURE"


class InvalidCode(Unauthenticated):
    """The code is wrong, used, expired, or was tried too often."""

    code = "INVALID_CODE"


class Forbidden(HeadraceError):
    """The credential is valid but may not do this."""

    code = "FORBIDDEN"


class WrongHost(HeadraceError):
    """The request's `Host` is none that this service answers for (`HEADRACE_ALLOWED_HOSTS`)."""

    code = "WRONG_HOST"


class NotFound(HeadraceError):
    """There is no such thing, or the caller may not know of it."""

    code = "NOT_FOUND"


class NoEnvironment(HeadraceError):
    """The caller works in no environment; make one, or name one that he belongs to."""

    code = "NO_ENVIRONMENT"


class Conflict(HeadraceError):
    """Not while things are as they are: a name is taken, or it is the last of its kind."""

    code = "CONFLICT"


class Refused(HeadraceError):
    """The code says all that may be told; clients compare it."""

    def __init__(self) -> None:
        super().__init__(self.code)


class AddressTaken(Refused):
    """There is an account with this e-mail address."""

    code = "REGISTER_USER_ALREADY_EXISTS"


class NewAddressTaken(Refused):
    """There is another account with this e-mail address."""

    code = "UPDATE_USER_EMAIL_ALREADY_EXISTS"


class BadCredentials(Refused):
    """No account with this e-mail address and this password may sign in."""

    code = "LOGIN_BAD_CREDENTIALS"


class BadPassword(Refused):
    """This is not the password that the account has now; it may have none."""

    code = "CHANGE_PASSWORD_BAD_PASSWORD"


class BadResetToken(Refused):
    """The token is wrong, was used, or is too old."""

    code = "RESET_PASSWORD_BAD_TOKEN"


class BadInvitation(Refused):
    """The invitation's token is wrong, was used or revoked, or is too old."""

    code = "INVITATION_BAD_TOKEN"


class Retryable(HeadraceError):
    """The same request may succeed after `retry_after` seconds."""

    retryable = True

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class IngestionUnavailable(Retryable):
    """The stream did not acknowledge: unknown whether stored, safe to retry with the same ids."""

    code = "INGESTION_UNAVAILABLE"


class NotCountedYet(Retryable):
    """The receipt named by `after` was not counted within the wait."""

    code = "NOT_COUNTED_YET"


class QuestionTooBig(Retryable):
    """The question passed its time or memory cap."""

    code = "QUESTION_TOO_BIG"


class AnalyticsUnavailable(Retryable):
    """The event store does not answer."""

    code = "ANALYTICS_UNAVAILABLE"


class AccountsUnavailable(Retryable):
    """The database of accounts does not answer."""

    code = "ACCOUNTS_UNAVAILABLE"


class MailUnavailable(Retryable):
    """No letter could be sent."""

    code = "MAIL_UNAVAILABLE"


class SigningUnavailable(Retryable):
    """It cannot be said whether a signed request was sent before; sign it anew, try again."""

    code = "SIGNING_UNAVAILABLE"


class RateLimited(Retryable):
    """Asked too often; the same request may succeed after `Retry-After`."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: float = 1.0, left: int = 0) -> None:
        super().__init__(message, retry_after)
        self.left = left


class SealBroken(HeadraceError):
    """A sealed secret does not open: it was altered, or its `SECRET_KEY` is not known here."""

    code = "SEAL_BROKEN"


class Overloaded(Retryable):
    """Too many ask for this at once; the same request may succeed after `Retry-After`."""

    code = "OVERLOADED"


class SettingsError(HeadraceError):
    """A setting is wrong; the message names it, its value's problem and what is allowed."""

    code = "SETTINGS"


class MigrationError(HeadraceError):
    """The schema found does not fit this program."""

    code = "MIGRATION"


class DataDirectoryBusy(HeadraceError):
    """Another process holds the data directory."""

    code = "DATA_DIR_BUSY"


class SpoolBusy(HeadraceError):
    """Another producer, here or in another process, uses this folder as its spool."""

    code = "SPOOL_BUSY"


class NatsServerFailed(HeadraceError):
    """The embedded broker does not come up."""

    code = "NATS_SERVER"


class NotRunning(HeadraceError):
    """No service runs on the data directory."""

    code = "NOT_RUNNING"


class StoreFenced(HeadraceError):
    """Another writer has moved the store's progress mark; this one must stop."""

    code = "STORE_FENCED"


class TransferFailed(HeadraceError):
    """Events that were moved did not arrive as they were sent, or the place to move to is taken."""

    code = "TRANSFER"


class PoisonMessage(HeadraceError):
    """A stream message that cannot be read; it goes to the dead letters."""

    code = "POISON"


class Unreachable(Retryable):
    """No answer came: unknown whether the request was carried out, safe to send the same ids."""

    code = "UNREACHABLE"


class BufferFull(Retryable):
    """The client's producer holds as much as it may; the event was not taken."""

    code = "BUFFER_FULL"


class Undelivered(Retryable):
    """The client's producer was closed before the service had taken all that it was given."""

    code = "UNDELIVERED"


class UnexpectedAnswer(HeadraceError):
    """An answer that the client does not understand: another program, or an unknown error."""

    code = "UNEXPECTED_ANSWER"


class SourceUnavailable(Retryable):
    """A pipeline's source does not answer, or not in time; reading is tried again."""

    code = "SOURCE_UNAVAILABLE"


class TargetUnavailable(Retryable):
    """A pipeline's target does not answer, or not in time: unknown what it kept; tried again."""

    code = "TARGET_UNAVAILABLE"


class TargetBusy(TargetUnavailable):
    """The same, but it stays open: asked again, it goes on, or knows how long it is to wait."""

    code = "TARGET_BUSY"


class ConnectorBroken(HeadraceError):
    """A source or target will not work as it is configured: wrong password, no such table."""

    code = "CONNECTOR_BROKEN"

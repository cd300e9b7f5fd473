"""What ClickHouse's errors mean to those who ask; codes as in its source (ErrorCodes.cpp)."""

from clickhouse_connect.driver.exceptions import Error

from service.errors import AnalyticsUnavailable, QuestionTooBig
from service.telemetry import log

_PAST_A_CAP = {
    158: "reads more rows than it may",
    159: "took longer than it may",
    241: "needs more memory than it may use",
    307: "reads more bytes than it may",
    396: "answers with more rows than it may",
}
_OUR_MISTAKE = {36, 42, 43, 46, 47, 53, 62, 184, 456}
"""Wrong arguments, functions, names, types, syntax, a parameter that is missing: the statement."""


def translated(error: Exception, *, reading: bool) -> Exception:
    """The error of ours that an engine's error stands for; a mistake in a statement as it is."""
    code = error.code if isinstance(error, Error) else None
    if reading and code in _PAST_A_CAP:
        return QuestionTooBig(f"the question {_PAST_A_CAP[code]}; narrow it")
    if code in _OUR_MISTAKE:
        return error
    log().error("storage.clickhouse.failed", code=code, error=str(error)[:500])
    return AnalyticsUnavailable("the event store failed; try again")

"""All questions about journeys, by the words that their routes end in."""

from collections.abc import Callable, Mapping

from service.query.journeys.asked import Question
from service.query.journeys.funnel import read_funnel
from service.query.journeys.sessions import read_sessions

KINDS: Mapping[str, Callable[[bytes, int], Question]] = {
    "funnel": read_funnel,
    "sessions": read_sessions,
}
"""From a document and the moment at which ranges like `24h` end to the question."""

"""All questions about journeys, by the words that their routes end in."""

from collections.abc import Callable, Mapping

from service.query.journeys.asked import Question
from service.query.journeys.funnel import read_funnel
from service.query.journeys.paths import read_paths
from service.query.journeys.retention import read_retention
from service.query.journeys.sessions import read_sessions

KINDS: Mapping[str, Callable[[bytes, int], Question]] = {
    "funnel": read_funnel,
    "sessions": read_sessions,
    "retention": read_retention,
    "paths": read_paths,
}
"""From a document and the moment at which ranges like `24h` end to the question."""

"""Load tests as small files: `written` reads one, `traffic` makes its requests, `drive` sends them
from a process of its own, `watching` shows how it goes, `reckoning` compares what was sent with
what is counted, and `page` is the report."""

"""What DuckDB tells of the statement that a connection carried out last: its profile, as JSON."""

import re

from service.storage.cost import Cost

_ROWS = re.compile(r'"rows_scanned": (\d+)')


def cost_in(profile: str) -> Cost:
    """What a statement read; of bytes the engine tells only those that came from the disk."""
    return Cost(sum(map(int, _ROWS.findall(profile))), None)

"""Every setting: typed, documented, read once from the environment, passed down.

`headrace settings` prints them resolved; `docs/operations.md` lists them (a test compares).
"""

from service.settings.checks import check_apart
from service.settings.environment import load, passed_down, resolved
from service.settings.fields import FIELDS, Settings

__all__ = ["FIELDS", "Settings", "check_apart", "load", "passed_down", "resolved"]

"""Where the SQL files are: inside the installed wheel, or beside the package in a checkout."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def directory(name: str) -> Traversable:
    """`queries` or `migrations`, as a folder to read from."""
    packaged = files("service") / name
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / name

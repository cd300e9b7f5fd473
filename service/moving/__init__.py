"""`headrace export`, `import` and `move`: events into files, out of them, into stores."""

from service.moving.exporting import export
from service.moving.importing import import_files
from service.moving.stores import move

__all__ = ["export", "import_files", "move"]

"""What things may be called."""

from service.errors import InvalidInput

LONGEST_NAME = 128
LONGEST_DESCRIPTION = 1000
"""Characters."""


def check_name(name: str, field: str = "name") -> None:
    """Raises InvalidInput for a name that will not do."""
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise InvalidInput(
            f"a name has 1 to {LONGEST_NAME} printable characters, no blanks around them", field
        )


def check_description(text: str) -> None:
    """Raises InvalidInput for a description that will not do; it may have several lines."""
    bare = text.replace("\n", "").replace("\t", "")
    if len(text) > LONGEST_DESCRIPTION or not bare.isprintable():
        raise InvalidInput(
            f"a description has at most {LONGEST_DESCRIPTION} printable characters", "description"
        )

"""What docs/request-signing.md shows: its code, in each language, and its vectors."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.house.tables import ROOT

_PAGE = (ROOT / "docs" / "request-signing.md").read_text("utf-8")

KEY = "key_0123456789abcdef"
SECRET = "evs_Zm9yIHRlc3RzIG9ubHksIG5vdCBhIHJlYWwga2V5"
NOW, NONCE = 1_700_000_000, "0123456789abcdef"


def block(language: str) -> str:
    """The one block of code in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", _PAGE, re.S)
    return found


VECTORS = json.loads(block("json"))


def _from_page() -> Callable[..., dict[str, str]]:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    return names["sign"]


sign = _from_page()
"""The page's own function for Python."""


def sign_in_javascript(*arguments: Any) -> dict[str, str]:
    """The headers that the page's JavaScript makes of (id, secret, method, path, body, …)."""
    code = block("javascript") + "const given = JSON.parse(process.argv[1]);"
    code += "console.log(JSON.stringify(sign(...given)));"
    return json.loads(_output("node", "--input-type=module", "-e", code, json.dumps(arguments)))


def sign_in_shell(folder: Path, *arguments: Any) -> dict[str, str]:
    """The headers that the page's shell function makes; the body goes through a file."""
    key, secret, method, path, body, *rest = arguments
    (folder / "body").write_text(body, "utf-8")
    given = [key, secret, method, path, str(folder / "body"), *map(str, rest)]
    lines = _output("sh", "-c", block("sh") + 'sign "$@"', "sh", *given).splitlines()
    return dict(line.split(": ", 1) for line in lines)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

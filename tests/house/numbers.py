"""`make house`: how long our files and functions are, beside those that we learnt from."""

import ast
from collections.abc import Sequence

from tests.house.tables import ROOT

FILES = sorted((ROOT / "service").rglob("*.py"))


def main() -> None:
    """Print the numbers; they are questions about the drawing, not limits."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in FILES}
    files = [path.read_text("utf-8").count("\n") for path in FILES]
    bodies = [_body(node) for tree in trees.values() for node in _functions(tree)]
    print(
        f"files      {len(files):5}  median {_at(files, 0.5):4}  p90 {_at(files, 0.9):4}"
        "   (anchors: 45-90, 250-360)"
    )
    print(
        f"functions  {len(bodies):5}  median {_at(bodies, 0.5):4}  p90 {_at(bodies, 0.9):4}"
        "   (anchors: 2-7, 15-20)"
    )
    mutual = sorted(_mutual(trees.values()))
    print(f"mutual imports: {', '.join(mutual) if mutual else 'none'}")


def _functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    first = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - first[0].lineno + 1 if first else 0


def _mutual(trees) -> set[str]:
    edges = {
        (_name(path), node.module)
        for path, tree in zip(FILES, trees, strict=True)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    }
    return {f"{a} <> {b}" for a, b in edges if (b, a) in edges and a < b}


def _name(path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _at(numbers: Sequence[int], share: float) -> int:
    return sorted(numbers)[int(share * (len(numbers) - 1))]


if __name__ == "__main__":
    main()

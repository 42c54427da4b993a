"""Tables of the reference: the fields of a class with the texts under them, and lines of Markdown."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any


def documented_fields(kind: Any) -> Iterator[tuple[str, str, str]]:
    """Yield the fields of a class that have a text under them, with their types."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError):
        return
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_"):
            text = (
                following.value.value if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant) else ""
            )
            yield f"`{node.target.id}`", f"`{ast.unparse(node.annotation)}`".replace("|", "\\|"), plain(str(text))


def plain(text: str) -> str:
    return " ".join(text.replace("\\[", "[").split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def kind_of(schema: dict[str, Any]) -> str:
    """Return the type of a value of a JSON schema with its limits; an object is a link to its fields."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if schema.get("type") == "array":
        return f"list of {kind_of(schema['items'])}"
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if kinds:
        return " or ".join(map(kind_of, kinds)) + (" or null" if len(kinds) < len(schema["anyOf"]) else "")
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    return f"{schema['type']}{''.join(_limits(schema))}" if "type" in schema else "any"


def _limits(schema: dict[str, Any]) -> Iterator[str]:
    low, high, above = (schema.get(name) for name in ("minimum", "maximum", "exclusiveMinimum"))
    if low is not None:
        yield f", {low:g} to {high:.10g}" if high is not None else f", at least {low:g}"
    if above is not None:
        yield f", above {above:g}"
    if "maxLength" in schema:
        yield f", at most {schema['maxLength']} characters"


def default_of(schema: dict[str, Any]) -> str:
    """Return the default value in a JSON schema as code; nothing if there is none."""
    if "default" not in schema:
        return ""
    value = schema["default"]
    return f"`{value if value and isinstance(value, str) else json.dumps(value)}`"

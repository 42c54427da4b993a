"""The reference of the contract that an exported file holds, and its JSON schema."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

from scripts.reference_tables import default_of, documented_fields, kind_of, table


def contract() -> Iterator[str]:
    """Yield the lines of the page."""
    from upconv.runtime.contract import KEY, Contract

    yield f"An exported `.onnx` file holds its contract as JSON in `metadata_props`, under the key `{KEY}`. [contract-consumers.md](contract-consumers.md) shows"
    yield "how programs in other languages use it. [contract.schema.json](contract.schema.json) describes the same fields as a JSON schema."
    yield ""
    yield "`version` changes if a field changes its meaning or is removed. New fields may come without a new version, so ignore those that you do not know."
    schemas = _schemas()
    for name in _order(schemas):
        yield from (*_fields(Contract if name == "Contract" else _class(name), schemas[name]),)


def contract_schema() -> str:
    """Return the JSON schema of the contract."""
    from upconv.runtime.contract import KEY, VERSION, Contract

    schema = Contract.model_json_schema()
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"metadata_props[{KEY!r}] of a file, version {VERSION}; made by scripts/reference",
        **_open(schema),
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _open(schema: Any) -> Any:
    """Return the schema without the ban on further fields: a later upconv may add some."""
    if isinstance(schema, dict):
        return {name: _open(value) for name, value in schema.items() if name != "additionalProperties" or value is not False}
    return [_open(value) for value in schema] if isinstance(schema, list) else schema


def _schemas() -> dict[str, Any]:
    from upconv.runtime.contract import Contract

    schema = Contract.model_json_schema()
    return {"Contract": schema, **schema["$defs"]}


def _order(schemas: dict[str, Any]) -> list[str]:
    """Return the names, from the contract down, in the order of its fields."""
    order = ["Contract"]
    for name in order:
        found = (part.rpartition("/")[2] for part in _references(schemas[name]["properties"]))
        order.extend(dict.fromkeys(part for part in found if part not in order))
    return order


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from [schema["$ref"]] if "$ref" in schema else []
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _class(name: str) -> Any:
    from upconv.runtime import contract

    return getattr(contract, name)


def _fields(kind: Any, schema: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"## {kind.__name__}", "", inspect.getdoc(kind) or "", "")
    texts = {name.strip("`"): text for name, _, text in documented_fields(kind)}
    rows = [
        (
            f"`{name}`",
            kind_of(facts),
            "required" if name in schema.get("required", ()) else default_of(facts),
            texts[name].replace("`None`", "null"),
        )
        for name, facts in schema["properties"].items()
    ]
    yield from table(("field", "type", "default", ""), rows)

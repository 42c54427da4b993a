"""The complete OpenAPI description: that of FastAPI, with additions."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from upconv.service.openapi import examples
from upconv.service.openapi.tensors import SCHEMAS
from upconv.service.problem import Problem


def complete(app: FastAPI, more: tuple[type[BaseModel], ...] = ()) -> None:
    """Add the missing schemas and examples, and the schemas of `more`, to the OpenAPI description of `app`.

    The errors of FastAPI itself are removed, because they are never sent.
    """
    description = app.openapi()
    schemas = description["components"]["schemas"]
    for operation in (each for path in description["paths"].values() for each in path.values()):
        if "HTTPValidationError" in str(operation["responses"].get("422")):
            del operation["responses"]["422"]
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    models: tuple[type[BaseModel], ...] = (Problem, *SCHEMAS, *more)
    for model in models:
        described = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(described.pop("$defs", {}))
        schemas[model.__name__] = described
    examples.add(description)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter without the type null: a query and a header can leave a value out, but not hold null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **kinds[0]}

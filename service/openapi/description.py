"""The complete OpenAPI description: that of FastAPI, with additions."""

from __future__ import annotations

from fastapi import FastAPI

from upconv.service.openapi import examples
from upconv.service.openapi.tensors import SCHEMAS
from upconv.service.problem import Problem


def complete(app: FastAPI) -> None:
    """Add the missing schemas and examples to the OpenAPI description of `app`.

    The errors of FastAPI itself are removed, because they are never sent.
    """
    description = app.openapi()
    schemas = description["components"]["schemas"]
    for operation in (each for path in description["paths"].values() for each in path.values()):
        if "HTTPValidationError" in str(operation["responses"].get("422")):
            del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (Problem, *SCHEMAS):
        described = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(described.pop("$defs", {}))
        schemas[model.__name__] = described
    examples.add(description)

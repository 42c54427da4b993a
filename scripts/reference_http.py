"""The reference of the HTTP interface, from the OpenAPI description that the service gives out."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.reference_errors import OF_HTTP, problems
from scripts.reference_tables import default_of, documented_fields, kind_of, plain, table

TAGS = {
    "pictures": "Pictures",
    "jobs": "Jobs",
    "models": "Models",
    "sd-webui": "sd-webui, with `--sd-webui`",
    "operation": "Health and metrics",
    "inference protocol": "Open Inference Protocol",
}
"""The headings of the tags, in the order of the page."""

_OF_PATHS = {
    "id": "id of the job, from the response that accepted it",
    "name": "name of the model, from `GET /v1/models`",
    "model": "name of the model, from `POST /v2/repository/index`",
    "version": "version of the model, from its metadata",
    "signature": "HMAC-SHA256 of the salt and the rest of the path",
    "path": "options and source of the picture",
}
"""What the parameters in paths are, where OpenAPI does not say it."""
_ADVICE = {
    400: "the body, its tensors or a parameter are wrong; the sentence says what",
    403: "the key does not have the scope of the route",
    404: "no model has this name and version",
    408: "the body took too long to arrive",
    413: "too many bytes, pixels or seconds",
    500: "the model or the service failed; the log has the cause, under the `X-Request-Id` of the response",
    501: "this part of the protocol is not served",
    503: "not ready, busy or stopping; try again after `Retry-After`",
}
"""What an error under /v2 means."""
_ONLY_ON = {
    "unknown-job": "/jobs/{id}",
    "no-result": "/result",
    "not-retriable": "/retry",
    "idempotency-key-reused": "/v1/jobs",
    "model-changed": "/file",
    "refused-model": "/v1/models",
    "bad-signature": "{signature}",
}
"""A part of the path of the routes that can give a problem, if not every route of its status can."""
_STATUSES = {200: "success", 202: "accepted", 204: "done, without a body", 206: "the requested range of bytes"}


def description() -> dict[str, Any]:
    """Return the OpenAPI description. No model is opened for it."""
    from upconv.service import Settings
    from upconv.service.app import create_app

    app = create_app(Settings(models=(Path("model.onnx"),), workers=1, sd_webui=True))
    return app.openapi()


def http() -> Iterator[str]:
    """Yield the lines of the page."""
    described = description()
    yield "`/docs` shows the same for the running service, and `/openapi.json` holds it for programs. [service.md](service.md) explains how it is meant to be"
    yield "used, and [errors.md](errors.md) what to do about each error. Every limit on bytes, pixels and seconds is a [setting](reference-settings.md)."
    yield "Keys are sent as `Authorization: Bearer KEY` or `X-API-Key: KEY`. Every response has an `X-Request-Id`."
    yield "Every route with GET also has HEAD."
    for tag, heading in TAGS.items():
        yield from ("", f"## {heading}")
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                if tag in operation["tags"] and "{version}" not in path:
                    yield from _route(method, path, operation, described)
    yield from ("", "The routes of a model are also at `/v2/models/{model}/versions/{version}/…`.")
    yield from _objects(described)


def _route(method: str, path: str, operation: dict[str, Any], described: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"### {method.upper()} {path}", "", " ".join(operation["description"].split()))
    for sample in operation.get("x-codeSamples", ()):
        yield from ("", "```sh", sample["source"], "```")
    parameters = operation.get("parameters", ())
    if parameters:
        yield from ("", "| parameter | in | type | default | |", "| --- | --- | --- | --- | --- |")
        yield from (_parameter(parameter) for parameter in parameters)
    body = operation.get("requestBody")
    if body:
        types = ", ".join(f"`{kind}`" for kind in body["content"])
        text = body.get("description") or _kind(next(iter(body["content"].values()))["schema"])
        yield from ("", f"Body ({'required' if body.get('required') else 'optional'}): {types}. {text.rstrip('.')}.")
    yield from ("", "| answer | |", "| --- | --- |")
    for status in sorted(operation["responses"], key=int):
        yield f"| {status} | {_answer(path, int(status), operation['responses'][status])} |"
    described_headers: list[dict[str, Any]] = [response.get("headers", {}) for response in operation["responses"].values()]
    headers = next((each for each in described_headers if "ETag" in each), {})
    if headers:
        yield from ("", "| header of the answer | |", "| --- | --- |")
        yield from (f"| `{name}` | {header['description']} |" for name, header in headers.items())


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    text = parameter.get("description") or schema.get("description") or _OF_PATHS.get(parameter["name"], "")
    default = default_of(schema) or ("required" if parameter["required"] else "")
    name = parameter["name"].title() if parameter["in"] == "header" else parameter["name"]
    return f"| `{name}` | {parameter['in']} | {kind_of(schema)} | {default} | {text} |"


def _answer(path: str, status: int, response: dict[str, Any]) -> str:
    content = response.get("content", {})
    if "application/problem+json" in content:
        named = sorted(slug for slug, (of, _) in problems().items() if of == status and _ONLY_ON.get(slug, "") in path)
        links = [f"[`{slug}`](errors.md#{slug})" for slug in named]
        return ", ".join(links) if links else OF_HTTP[status]
    schema = content.get("application/json", {}).get("schema", {})
    if schema.get("$ref", "").endswith("/Failure"):
        return f'`{{"error": …}}`: {_ADVICE[status]}'
    text = _STATUSES.get(status, "") if response["description"] == "Successful Response" else response["description"]
    types = ", ".join(f"`{kind}`" for kind in content)
    shape = _kind(schema) if schema else ""
    return ": ".join(part for part in (text, ", ".join(part for part in (types, shape) if part)) if part)


def _kind(schema: dict[str, Any]) -> str:
    """Return the type of a value. The objects of the contract are on a page of their own."""
    names = "|".join(map(re.escape, _of_the_contract()))
    return re.sub(rf"\((#(?:{names.lower()}))\)", r"(reference-contract.md\1)", kind_of(schema))


def _of_the_contract() -> set[str]:
    from upconv.runtime import contract

    return {name for name, kind in vars(contract).items() if inspect.isclass(kind) and kind.__module__ == contract.__name__}


def _objects(described: dict[str, Any]) -> Iterator[str]:
    """Yield the fields of every object that an answer or a body can hold."""
    yield from ("", "## Objects")
    schemas = described["components"]["schemas"]
    classes = _classes()
    for name, schema in sorted(schemas.items()):
        if name in _of_the_contract():
            continue
        texts = {field.strip("`"): text for field, _, text in documented_fields(classes[name])}
        yield from ("", f"### {name}", "", " ".join(schema.get("description", "").split()), "")
        rows = [
            (
                f"`{field}`",
                _kind(facts),
                default_of(facts),
                plain(facts.get("description", "")) or texts.get(field, "").replace("`None`", "null"),
            )
            for field, facts in schema.get("properties", {}).items()
        ]
        yield from table(("field", "type", "default", ""), rows)


def _classes() -> dict[str, Any]:
    """Return the classes of upconv that are loaded, by name. Each name is unique."""
    modules = [module for name, module in sys.modules.items() if name.startswith("upconv.")]
    return {
        name: kind
        for module in modules
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and kind.__module__ == module.__name__
    }

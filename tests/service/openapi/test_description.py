from __future__ import annotations

import json
from typing import Any


def test_routes(description: dict[str, Any]) -> None:
    one_model = {
        f"/v2/models/{{model}}{version}{what}"
        for version in ("", "/versions/{version}")
        for what in ("", "/ready", "/config", "/stats", "/infer")
    }
    others = {"/v2", "/v2/health/live", "/v2/health/ready", "/v2/repository/index", "/v2/models/stats"}
    others |= {f"/v2/repository/models/{{model}}/{what}" for what in ("load", "unload")}
    assert {path for path in description["paths"] if path.startswith("/v2")} == one_model | others
    assert {path for path in description["paths"] if not path.startswith("/v2")} == {
        *("/v1/upscale", "/v1/upscale/{signature}/{path}", "/v1/models", "/v1/models/reload", "/v1/models/default"),
        *("/v1/models/{name}/load", "/v1/models/{name}/unload", "/v1/models/{name}/file"),
        *("/v1/jobs", "/v1/jobs/{id}", "/v1/jobs/{id}/events", "/v1/jobs/{id}/result", "/v1/jobs/{id}/retry"),
        *("/healthz", "/readyz", "/metrics"),
    }


def test_upscale(description: dict[str, Any]) -> None:
    upscale = description["paths"]["/v1/upscale"]["post"]
    body = upscale["requestBody"]["content"]
    assert body["image/*"]["schema"] == {"type": "string", "format": "binary"}
    assert body["multipart/form-data"]["schema"]["required"] == ["file"]
    names = [each["name"] for each in upscale["parameters"]]
    assert names == [
        "model",
        "scale",
        "width",
        "height",
        "fitting",
        "format",
        "quality",
        "lossless",
        "metadata",
        "profile",
        "colors",
        "border",
        "x-upconv-timeout",
    ]
    answers = upscale["responses"]
    assert set(answers) == {"200", "304", "400", "401", "404", "408", "413", "415", "422", "429", "500", "503"}
    assert set(answers["200"]["content"]) == {"image/jpeg", "image/png", "image/webp", "image/avif", "image/tiff"}
    assert all(set(answer["content"]) == {"application/problem+json"} for status, answer in answers.items() if status >= "400")
    assert "Retry-After" in answers["503"]["headers"]


def test_references_lead_somewhere(description: dict[str, Any]) -> None:
    text = json.dumps(description)
    names = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert "Problem" in names
    assert names <= set(description["components"]["schemas"])
    assert "HTTPValidationError" not in text


def test_no_parameter_holds_null(description: dict[str, Any]) -> None:
    parameters = {
        each["name"]: each["schema"]
        for path in description["paths"].values()
        for operation in path.values()
        for each in operation.get("parameters", ())
    }
    assert not [name for name, schema in parameters.items() if "null" in json.dumps(schema)]
    assert parameters["x-upconv-timeout"]["type"] == "number"
    assert parameters["result_url"]["maxLength"] == 4000

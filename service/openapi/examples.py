"""OpenAPI examples of all routes: the curl command, and the response if it is JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_ORIGIN = "http://127.0.0.1:8000"
_ID = "a3f1c0de9b7e4c55a3f1c0de9b7e4c55"
_JOB = {
    "id": _ID,
    "state": "running",
    "model": "upsample-s-x2",
    "progress": {"done": 3, "total": 12},
    "ahead": 0,
    "created": "2026-01-31T12:00:00Z",
    "finished": None,
    "expires": None,
    "result": None,
    "lease_s": None,
    "error": None,
}
_SIGNED = "aMIlX7Rk9TBVov2_4sfhNymd4OiM7z20PkGdYvf1PsY/scale:2/format:webp/plain/https://pictures.example.com/in.jpg"
_TENSOR = {"name": "image", "datatype": "FP32", "shape": [-1, 3, -1, -1]}
_DURATION = {"count": 2, "ns": 35_000_000}
_STATISTICS = {
    "name": "upsample-s-x2",
    "version": "1",
    "last_inference": 1_769_860_800_000,
    "inference_count": 2,
    "execution_count": 2,
    "inference_stats": {"success": _DURATION, "fail": {"count": 0, "ns": 0}, "queue": {"count": 2, "ns": 90_000}},
    "batch_stats": [],
}
_ADMIN = '\' -X POST -H "Authorization: Bearer $UPCONV_ADMIN_KEY"'
_MODEL = "/v2/models/{model}"


@dataclass(frozen=True)
class Example:
    """An example request and its response."""

    curl: str
    """The part of the command after the path of the route."""
    answer: Any = None
    """The JSON response; `None` if the response is not JSON."""
    status: str = "200"


EXAMPLES: dict[tuple[str, str], Example] = {
    ("post", "/v1/upscale"): Example("?scale=3&format=webp' --data-binary @in.jpg -o out.webp"),
    ("get", "/v1/upscale/{signature}/{path}"): Example("' -o out.webp"),
    ("post", "/v1/jobs"): Example(
        "?scale=4' --data-binary @in.png -H 'Idempotency-Key: my-1'", {**_JOB, "state": "queued"}, "202"
    ),
    ("get", "/v1/jobs"): Example(
        '?state=queued\' -H "Authorization: Bearer $KEY"', {"jobs": [{**_JOB, "state": "queued"}], "next": None}
    ),
    ("get", "/v1/jobs/{id}"): Example("'", _JOB),
    ("post", "/v1/jobs/{id}/retry"): Example("' -X POST", {**_JOB, "state": "queued"}, "202"),
    ("delete", "/v1/jobs/{id}"): Example("' -X DELETE"),
    ("get", "/v1/jobs/{id}/events"): Example("' -N"),
    ("get", "/v1/jobs/{id}/result"): Example("' -o out.png"),
    ("get", "/v1/models"): Example("'"),
    ("get", "/v1/models/{name}/file"): Example("' -o model.onnx"),
    ("post", "/v1/models/reload"): Example(
        _ADMIN,
        {"models": ["upsample-s-x2"], "loaded": [], "replaced": ["upsample-s-x2"], "removed": [], "refused": {}},
    ),
    ("post", "/v1/models/{name}/load"): Example(_ADMIN, status="204"),
    ("post", "/v1/models/{name}/unload"): Example(_ADMIN, status="204"),
    ("put", "/v1/models/default"): Example(_ADMIN.replace("POST", "PUT") + " --json @shares.json", status="204"),
    ("get", "/healthz"): Example("'", {"status": "live"}),
    ("get", "/readyz"): Example(
        "'",
        {
            "status": "ready",
            "models": [{"name": "upsample-s-x2", "provider": "CPUExecutionProvider", "proof": None}],
            "refused": [],
            "failing": [],
        },
    ),
    ("get", "/metrics"): Example("'"),
    ("post", "/sdapi/v1/extra-single-image"): Example("' --json @request.json", {"html_info": "", "image": "iVBORw0KGgo="}),
    ("get", "/sdapi/v1/upscalers"): Example(
        "'", [{"name": "upsample-s-x2", "model_name": None, "model_path": None, "model_url": None, "scale": 2}]
    ),
    ("get", "/v2"): Example("'", {"name": "upconv", "version": "0.1.0", "extensions": ["binary_tensor_data"]}),
    ("get", "/v2/health/live"): Example("'", {"live": True}),
    ("get", "/v2/health/ready"): Example("'", {"ready": True}),
    ("post", "/v2/repository/index"): Example(
        "' -X POST", [{"name": "upsample-s-x2", "version": "1", "state": "READY", "reason": ""}]
    ),
    ("post", "/v2/repository/models/{model}/load"): Example(_ADMIN, {}),
    ("post", "/v2/repository/models/{model}/unload"): Example(_ADMIN, {}),
    ("get", "/v2/models/stats"): Example("'", {"model_stats": [_STATISTICS]}),
}

_OF_ONE_MODEL: dict[tuple[str, str], Example] = {
    ("get", ""): Example(
        "'",
        {
            "name": "upsample-s-x2",
            "versions": ["1"],
            "platform": "onnx_onnxv1",
            "inputs": [_TENSOR],
            "outputs": [{**_TENSOR, "name": "output"}],
            "parameters": {},
        },
    ),
    ("get", "/ready"): Example("'", {"name": "upsample-s-x2", "ready": True}),
    ("get", "/config"): Example(
        "'",
        {
            "name": "upsample-s-x2",
            "platform": "onnx_onnxv1",
            "max_batch_size": 0,
            "input": [{"name": "image", "data_type": "TYPE_FP32", "dims": [-1, 3, -1, -1]}],
            "output": [{"name": "output", "data_type": "TYPE_FP32", "dims": [-1, 3, -1, -1]}],
        },
    ),
    ("get", "/stats"): Example("'", {"model_stats": [_STATISTICS]}),
    ("post", "/infer"): Example("' -H 'Inference-Header-Content-Length: 0' --data-binary @in.jpg -o out"),
}


def of(method: str, path: str) -> Example | None:
    """Return the example of a route, or `None`."""
    for prefix in (f"{_MODEL}/versions/{{version}}", _MODEL):
        if path.startswith(prefix) and (method, path.removeprefix(prefix)) in _OF_ONE_MODEL:
            return _OF_ONE_MODEL[method, path.removeprefix(prefix)]
    return EXAMPLES.get((method, path))


def command(path: str, example: Example) -> str:
    """Return the curl command of an example."""
    filled = (
        path.replace("{id}", _ID)
        .replace("{model}", "upsample-s-x2")
        .replace("{name}", "upsample-s-x2")
        .replace("{version}", "1")
        .replace("{signature}/{path}", _SIGNED)
    )
    return f"curl --fail-with-body '{_ORIGIN}{filled}{example.curl}"


def add(description: dict[str, Any]) -> None:
    """Add the examples to an OpenAPI description."""
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            example = of(method, path)
            if example is None:
                continue
            operation["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": command(path, example)}]
            if example.answer is not None:
                operation["responses"][example.status]["content"]["application/json"]["example"] = example.answer

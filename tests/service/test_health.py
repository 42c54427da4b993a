from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI


def test_live_and_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "live"}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "models": [{"name": "nearest-x2-test", "provider": "CPUExecutionProvider"}]}


def test_not_ready_before_the_models_are_warm(app: FastAPI, ask: Callable[..., httpx.Response]) -> None:
    assert ask(app, "GET", "/healthz").status_code == 200
    answer = ask(app, "GET", "/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "loading")
    answer = ask(app, "POST", "/v1/upscale", content=b"x", headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_not_ready_while_draining(service: Any) -> None:
    service.state.draining = True
    answer = service.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "draining")
    assert service.get("/healthz").status_code == 200

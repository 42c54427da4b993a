from __future__ import annotations

from typing import Any

import httpx
import pytest


def url(address: tuple[str, int], path: str) -> str:
    return f"http://{address[0]}:{address[1]}{path}"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_port_of_its_own(client_with: Any, path: str) -> None:
    with client_with(admin_port=0) as client:
        assert httpx.get(url(client.operation, path)).status_code == 200
        on_service = client.get(path)
        assert on_service.status_code == (404 if path == "/metrics" else 200)
        if path == "/metrics":
            assert "--admin-port" in on_service.json()["detail"]
        for other in ("/", "/v1/models", "/v2", "/docs"):
            answer = httpx.get(url(client.operation, other))
            assert (answer.status_code, "/healthz, /metrics, /readyz" in answer.text) == (404, True)


def test_port_of_its_own_has_connections_of_its_own(client_with: Any, encoded: Any) -> None:
    with client_with(admin_port=0, max_connections=16) as client:
        client.get("/healthz")
        httpx.get(url(client.operation, "/healthz"))
        assert len(client.server.table) == 1


def test_without_it_all_routes_are_on_one_port(client: Any) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/v1/models", "/"):
        assert client.get(path).status_code == 200

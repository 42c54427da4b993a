from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("kept", ["", "/up"], ids=["the proxy removes the path", "the proxy keeps the path"])
def test_service_under_a_path(client_with: Any, encoded: Any, wait_until: Any, kept: str) -> None:
    with client_with(root_path="/up/") as client:
        for path in ("/", "/docs", "/web/page.css", "/healthz", "/v2"):
            assert client.get(f"{kept}{path}").status_code == 200
        answer = client.post(f"{kept}/v1/jobs", content=encoded())
        assert answer.headers["location"] == f"/up/v1/jobs/{answer.json()['id']}"
        wait_until(lambda: client.get(answer.headers["location"]).json()["state"] == "done")
        result = client.get(answer.headers["location"]).json()["result"]["url"]
        assert client.get(result).headers["content-type"] == "image/png"
        assert client.get(f"{kept}/openapi.json").json()["servers"] == [{"url": "/up"}]
        assert set(client.get(f"{kept}/v2/models/x").json()) == {"error"}


def test_keys_are_asked_for_under_the_path(client_with: Any) -> None:
    with client_with(root_path="/up", api_keys="ann:0123456789abcdef") as client:
        for path in ("/v1/models", "/up/v1/models"):
            assert client.get(path).status_code == 401


def test_page_without_its_slash(client_with: Any) -> None:
    with client_with(root_path="/up") as client:
        answer = client.get("/up")
        assert (answer.status_code, answer.headers["location"]) == (307, "/up/")
        assert client.get("/upper").status_code == 404

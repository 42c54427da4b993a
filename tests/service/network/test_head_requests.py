from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/web/page.css", "/openapi.json", "/healthz", "/readyz", "/metrics", "/v1/models", "/v2", "/v2/health/live"],
)
def test_head_is_get_without_a_body(client: Any, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"") == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    if path != "/metrics":  # its length changes
        assert head.headers["content-length"] == get.headers["content-length"]


def test_head_of_a_job(service: Any, encoded: Any, wait_until: Any) -> None:
    url = service.post("/v1/jobs", content=encoded()).headers["location"]
    wait_until(lambda: service.get(url).json()["state"] == "done")
    for path in ("", "/events", "/result"):
        head = service.head(url + path)
        assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(service.get(f"{url}/result").content)
    part = service.head(f"{url}/result", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")
    wait_until(lambda: 'method="HEAD",route="/v1/jobs/{id}/result",status="206"' in service.get("/metrics").text)


def test_head_of_events_ends(service: Any, gate: Any, encoded: Any) -> None:
    url = service.post("/v1/jobs", content=encoded()).headers["location"]
    assert service.head(f"{url}/events", timeout=5).headers["content-type"].startswith("text/event-stream")
    assert service.head("/healthz").status_code == 200, "the connection is used again"
    gate.opened.set()


def test_head_of_other_routes(client: Any) -> None:
    answer = client.head("/v1/upscale")
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")
    assert client.put("/healthz").headers["allow"] == "GET, HEAD"
    assert client.head("/nothing").status_code == 404

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from upconv.service import access
from upconv.service.keys import new_key

ANN, ADMIN = "ann-0123456789abcdef", "admin-0123456789abcdef"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def guarded(running: Any, nearest_x2: Path) -> Iterator[Any]:
    with running(models=(nearest_x2,), workers=1, api_keys=f"ann:{ANN}", admin_key=ADMIN) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (bearer(ANN), 200),
        ({"Authorization": f"bearer  {ANN}"}, 200),
        ({"X-API-Key": ANN}, 200),
        (bearer(ADMIN), 200),
        (bearer("wrong"), 401),
        ({"Authorization": f"Basic {ANN}"}, 401),
        ({"Authorization": b"Bearer \xff\xfe"}, 401),
    ],
)
def test_keys(guarded: Any, headers: dict[str, str], status: int) -> None:
    for path in ("/v1/models", "/v2/models/stats"):
        answer = guarded.get(path, headers=headers)
        assert answer.status_code == status
        if status == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "an API key is required" in answer.json()["detail" if path.startswith("/v1") else "error"]


def test_what_no_key_is_asked_for(guarded: Any) -> None:
    for path in ("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics", "/v2/health/ready"):
        assert guarded.get(path).status_code == 200


@pytest.mark.parametrize(
    ("settings", "key", "status"),
    [
        ({}, ADMIN, 403),
        ({"admin_key": ADMIN}, "?", 403),
        ({"admin_key": ADMIN}, "wrong", 403),
        ({"admin_key": ADMIN}, ADMIN, 200),
        ({"admin_key": ADMIN, "api_keys": f"ann:{ANN}"}, ANN, 403),
        ({"admin_key": ADMIN, "api_keys": f"ann:{ANN}"}, "wrong", 401),
    ],
)
def test_admin(client_with: Callable[..., Any], settings: dict[str, str], key: str, status: int) -> None:
    with client_with(**settings) as client:
        assert client.post("/v1/models/reload", headers=bearer(key)).status_code == status
        assert client.get("/v1/models").status_code == (401 if "api_keys" in settings else 200)


@pytest.mark.parametrize(("scope", "allowed"), [("infer", {"upscale", "infer"}), ("jobs", {"jobs"}), ("models", {"reload"})])
def test_scopes(client_with: Callable[..., Any], tmp_path: Path, scope: str, allowed: set[str]) -> None:
    secret, key = new_key("ann")
    (tmp_path / "keys").write_text(f"{key.line()} scopes={scope}")
    routes = {
        "upscale": "/v1/upscale",
        "infer": "/v2/models/nearest-x2-test/versions/1/infer",
        "jobs": "/v1/jobs",
        "reload": "/v1/models/reload",
    }
    with client_with(api_keys_file=tmp_path / "keys") as client:
        answers = {name: client.post(path, content=b"", headers=bearer(secret)) for name, path in routes.items()}
        assert {name for name, answer in answers.items() if answer.status_code != 403} == allowed
        assert client.get("/v1/models", headers=bearer(secret)).status_code == 200, "every key may look"


def test_a_key_named_admin_is_not_the_admin(client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    with client_with(api_keys=f"admin:{ANN}", admin_key=ADMIN) as client:
        assert client.post("/v1/models/reload", headers=bearer(ANN)).status_code == 403
        job = client.post("/v1/jobs", content=encoded(), headers=bearer(ADMIN)).json()["id"]
        assert client.get(f"/v1/jobs/{job}", headers=bearer(ANN)).status_code == 404
        assert client.get(f"/v1/jobs/{job}", headers=bearer(ADMIN)).status_code == 200


def test_a_revoked_key_is_refused_without_a_restart(
    client_with: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    (ann, first), (bob, second) = new_key("ann"), new_key("bob")
    (tmp_path / "keys").write_text(f"{first.line()}\n{second.line()}\n")
    with client_with(api_keys_file=tmp_path / "keys", watch=True, watch_interval_s=0.02) as client:
        assert client.get("/v1/models", headers=bearer(ann)).status_code == 200
        (tmp_path / "keys").write_text(f"{second.line()}\n")
        wait_until(lambda: client.get("/v1/models", headers=bearer(ann)).status_code == 401)
        (tmp_path / "keys").write_text("broken\n")
        time.sleep(0.2)
        assert client.get("/v1/models", headers=bearer(bob)).status_code == 200, "a broken file leaves the old keys"
        (tmp_path / "keys").write_text("")
        wait_until(lambda: client.get("/v1/models", headers=bearer(bob)).status_code == 401)
        assert client.get("/v1/models").status_code == 401, "and without any key nobody gets in"


@pytest.mark.parametrize(("tries", "slow"), [(10, 0), (11, 1)])
def test_wrong_keys_are_counted_and_slowed(
    client_with: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tries: int, slow: int
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with client_with(api_keys=f"ann:{ANN}") as client:
        monkeypatch.setattr(access, "asyncio", SimpleNamespace(sleep=sleep))
        for number in range(tries):
            assert client.get("/v1/models", headers=bearer(f"wrong-{number}")).status_code == 401
        assert client.get("/v1/models", headers=bearer(ANN)).status_code == 200
        monkeypatch.undo()
        assert pauses.count(access._SLOW_S) == slow
        assert f"upconv_wrong_keys_total {tries}.0" in client.get("/metrics").text


def test_rates(client_with: Callable[..., Any]) -> None:
    with client_with(rate_per_s=0.01, rate_burst=2, api_keys=f"ann:{ANN},bob:bob-{ANN}") as client:
        for status in (422, 422, 429, 429):
            answer = client.post("/v1/upscale", content=b"", headers=bearer(ANN))
            assert answer.status_code == status
        assert 1 <= int(answer.headers["retry-after"]) <= 100
        assert answer.json()["type"] == "/docs#too-many-requests"
        assert set(client.post("/v2/models/nearest-x2-test/infer", headers=bearer(ANN)).json()) == {"error"}
        assert client.post("/v1/upscale", content=b"", headers=bearer(f"bob-{ANN}")).status_code == 422, "each has their own"
        assert client.get("/v1/models", headers=bearer(ANN)).status_code == 200, "looking is free"


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ("", "https://a.example", None),
        ("https://a.example", "https://a.example", "https://a.example"),
        ("https://a.example", "https://b.example", None),
    ],
)
def test_cors(client_with: Callable[..., Any], origins: str, origin: str, allowed: str | None) -> None:
    with client_with(cors_origins=origins, api_keys=f"ann:{ANN}") as client:
        answer = client.get("/v1/models", headers={"Origin": origin, **bearer(ANN)})
        assert answer.headers.get("access-control-allow-origin") == allowed
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        preflight: httpx.Response = client.options("/v1/upscale", headers=asked)
        assert (preflight.status_code == 200) == (allowed is not None)

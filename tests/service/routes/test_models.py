from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from upconv.runtime import Contract

KEY = "admin-0123456789abcdef"


def test_models(client_with: Callable[..., Any], nearest_x2: Path, decoder: Path) -> None:
    with client_with(models=(nearest_x2, decoder)) as client:
        answer = client.get("/v1/models").json()
    models = answer["models"]
    assert answer["limits"] == {"max_bytes": 2**25, "max_pixels": 25_000_000, "max_output_pixels": 100_000_000}
    assert [(model["name"], model["default"], model["upscales"]) for model in models] == [
        ("nearest-x2-test", True, True),
        ("decoder-test", False, False),
    ]
    assert models[0]["provider"] == "CPUExecutionProvider"
    assert models[0]["sha256"] == hashlib.sha256(nearest_x2.read_bytes()).hexdigest()
    assert Contract.model_validate(models[0]["contract"]).scale == 2


def test_file(client: Any, nearest_x2: Path) -> None:
    path, content = "/v1/models/nearest-x2-test/file", nearest_x2.read_bytes()
    answer = client.get(path)
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (200, content, tag)
    assert client.head(path).headers["Content-Length"] == str(len(content))
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    part = client.get(path, headers={"Range": "bytes=4-9", "If-Range": tag})
    assert (part.status_code, part.content) == (206, content[4:10])
    assert client.get(path, headers={"Range": "bytes=4-9", "If-Range": '"other"'}).status_code == 200
    assert client.get(path, headers={"Range": "bytes=999999-"}).status_code == 416
    assert client.get(f"/v1/models/nearest-x2-test@{tag[1:13]}/file").content == content
    assert client.get("/v1/models/unknown/file").json()["type"] == "/docs#unknown-model"


def test_file_that_changed_after_it_was_loaded(client_with: Callable[..., Any], nearest_x2: Path, tmp_path: Path) -> None:
    shutil.copy(nearest_x2, tmp_path / "a.onnx")
    with client_with(models=(tmp_path,)) as client:
        (tmp_path / "a.onnx").write_bytes(b"other")
        answer = client.get("/v1/models/nearest-x2-test/file")
        assert (answer.status_code, answer.json()["type"]) == (409, "/docs#model-changed")
        (tmp_path / "a.onnx").unlink()
        assert client.get("/v1/models/nearest-x2-test/file").status_code == 409


def test_file_needs_a_key_with_the_scope_infer(client_with: Callable[..., Any], tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(
        "\n".join(
            f"{name} sha256:{hashlib.sha256(f'{name}-0123456789abcdef'.encode()).hexdigest()} scopes={scope}"
            for name, scope in (("ann", "infer"), ("bob", "jobs"))
        )
    )
    with client_with(api_keys_file=keys) as client:
        for name, status in (("ann", 200), ("bob", 403), ("eve", 401)):
            headers = {"Authorization": f"Bearer {name}-0123456789abcdef"}
            assert client.get("/v1/models/nearest-x2-test/file", headers=headers).status_code == status


def test_file_that_the_operator_keeps(client_with: Callable[..., Any]) -> None:
    with client_with(model_files=False) as client:
        answer = client.get("/v1/models/nearest-x2-test/file")
        assert answer.status_code == 403
        assert "--no-model-files" in answer.json()["detail"]
        assert client.get("/v1/models").status_code == 200


def test_reload(client_with: Callable[..., Any], nearest_x2: Path, decoder: Path, tmp_path: Path) -> None:
    shutil.copy(nearest_x2, tmp_path / "a.onnx")
    with client_with(models=(tmp_path,), admin_key=KEY) as client:
        shutil.copy(decoder, tmp_path / "b.onnx")
        (tmp_path / "c.onnx").write_bytes(b"nothing")
        answer = client.post("/v1/models/reload", headers={"Authorization": f"Bearer {KEY}"}).json()
        assert (answer["models"], answer["loaded"]) == (["nearest-x2-test", "decoder-test"], ["decoder-test"])
        assert list(answer["refused"]) == [str(tmp_path / "c.onnx")]
        assert 'model="decoder-test"' in client.get("/metrics").text
        assert client.get("/v2/models/decoder-test/ready").status_code == 200
        (tmp_path / "b.onnx").unlink()
        client.post("/v1/models/reload", headers={"Authorization": f"Bearer {KEY}"})
        assert 'model="decoder-test"' not in client.get("/metrics").text


def test_watch(
    client_with: Callable[..., Any], nearest_x2: Path, decoder: Path, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copy(nearest_x2, tmp_path / "a.onnx")
    with client_with(models=(tmp_path,), watch=True, watch_interval_s=0.02) as client:
        shutil.copy(decoder, tmp_path / "b.onnx")
        wait_until(lambda: client.get("/v2/models/decoder-test/ready").status_code == 200)
        (tmp_path / "a.onnx").write_bytes(b"nothing")
        (tmp_path / "b.onnx").unlink()
        wait_until(lambda: client.get("/v2/models/decoder-test/ready").status_code == 404)
        assert client.get("/v1/models").json()["models"][0]["name"] == "nearest-x2-test", "what was good stays"


def test_running_requests_finish_on_the_old_model(
    client_with: Callable[..., Any], nearest_x2: Path, tmp_path: Path, gate: Any, encoded: Callable[..., bytes]
) -> None:
    shutil.copy(nearest_x2, tmp_path / "a.onnx")
    gate.opened.set()
    with client_with(models=(tmp_path,), admin_key=KEY) as client, ThreadPoolExecutor() as pool:
        gate.opened.clear()
        tiles = gate.tiles
        running = pool.submit(client.post, "/v1/upscale", content=encoded())
        while gate.tiles == tiles:
            time.sleep(0.01)
        shutil.copy(nearest_x2, tmp_path / "new")
        (tmp_path / "new").replace(tmp_path / "a.onnx")
        old = client.state.models.entries["nearest-x2-test"]
        reloading = pool.submit(client.post, "/v1/models/reload", headers={"Authorization": f"Bearer {KEY}"})
        time.sleep(0.2)
        gate.opened.set()
        assert reloading.result().json()["replaced"] == ["nearest-x2-test"]
        assert running.result().status_code == 200
        assert client.state.models.entries["nearest-x2-test"] is not old
        assert client.post("/v1/upscale", content=encoded()).status_code == 200


def test_load_unload_and_default(client_with: Callable[..., Any], nearest_x2: Path, decoder: Path, tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / "net" / version).mkdir(parents=True)
        shutil.copy(nearest_x2, tmp_path / "net" / version / "model.onnx")
    admin = {"Authorization": f"Bearer {KEY}"}
    with client_with(models=(nearest_x2, decoder, tmp_path), admin_key=KEY) as client:

        def shares() -> dict[tuple[str, str], float]:
            models = client.get("/v1/models").json()["models"]
            return {(model["name"], model["version"]): model["share"] for model in models if model["default"]}

        assert shares() == {("nearest-x2-test", "1"): 1.0}
        assert client.put("/v1/models/default", json={"shares": {"net@1": 1, "net": 3}}, headers=admin).status_code == 204
        assert shares() == {("net", "1"): 0.25, ("net", "2"): 0.75}
        assert client.post("/v1/models/decoder-test/unload", headers=admin).status_code == 204
        assert client.post("/v2/models/decoder-test/infer").status_code == 404
        assert client.post("/v1/models/decoder-test/load", headers=admin).status_code == 204
        for method, path, status in (
            ("POST", "/v1/models/unknown/load", 404),
            ("POST", "/v1/models/unknown/unload", 404),
            ("POST", "/v2/repository/models/unknown/load", 404),
        ):
            assert client.request(method, path, headers=admin).status_code == status
            assert client.request(method, path).status_code == 403
        assert client.put("/v1/models/default", json={"shares": {"net": 1}}).status_code == 403
        for wanted, status in (
            ({}, 422),
            ({"net": 0}, 422),
            ({"net": -1}, 422),
            ({"gone": 1}, 404),
            ({"decoder-test": 1}, 422),
        ):
            assert client.put("/v1/models/default", json={"shares": wanted}, headers=admin).status_code == status


def test_a_version_by_query(
    client_with: Callable[..., Any], nearest_x2: Path, tmp_path: Path, encoded: Callable[..., bytes]
) -> None:
    (tmp_path / "net" / "7").mkdir(parents=True)
    shutil.copy(nearest_x2, tmp_path / "net" / "7" / "model.onnx")
    with client_with(models=(nearest_x2, tmp_path)) as client:
        for model, status in (("net", 200), ("net@7", 200), ("net@8", 404)):
            assert client.post(f"/v1/upscale?model={model}", content=encoded()).status_code == status

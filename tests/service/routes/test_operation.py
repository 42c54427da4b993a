from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from tests.conftest import StandIn

from upconv.runtime.errors import DeviceLostError
from upconv.runtime.executors import LocalExecutor
from upconv.service.trials.child_process import TrialChild


def test_live_and_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "live"}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "models": [{"name": "nearest-x2-test", "provider": "CPUExecutionProvider", "proof": None, "endpoints": []}],
        "refused": [],
        "failing": [],
    }


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


def test_metrics_after_some_requests(service: Any, encoded: Callable[..., bytes]) -> None:
    service.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"})
    service.post("/v1/upscale?scale=abc")
    service.get("/nowhere/at/all")
    service.get("/web/page.css")
    service.request("BREW", "/healthz")
    lines = service.get("/metrics").text.splitlines()
    for expected in (
        'upconv_requests_total{method="POST",route="/v1/upscale",status="200"} 1.0',
        'upconv_requests_total{method="POST",route="/v1/upscale",status="422"} 1.0',
        'upconv_requests_total{method="GET",route="unknown",status="404"} 1.0',
        'upconv_requests_total{method="other",route="/healthz",status="405"} 1.0',
        'upconv_stage_seconds_count{stage="decode"} 1.0',
        'upconv_stage_seconds_count{stage="queue"} 1.0',
        'upconv_pixels_total{direction="in"} 240.0',
        'upconv_pixels_total{direction="out"} 960.0',
        'upconv_tiles_total{model="nearest-x2-test"} 1.0',
        "upconv_pictures_in_work 0.0",
        "upconv_pictures_admitted 0.0",
        "upconv_admitted_bytes 0.0",
    ):
        assert expected in lines
    assert any(
        line.startswith('upconv_model_info{model="nearest-x2-test",provider="CPUExecutionProvider",sha256="') for line in lines
    )
    assert not any("nowhere" in line for line in lines)


def test_apps_count_for_themselves(client_with: Callable[..., Any]) -> None:
    with client_with() as one, client_with() as other:
        one.get("/healthz")
        assert 'route="/healthz"' in one.get("/metrics").text
        assert 'route="/healthz"' not in other.get("/metrics").text


def test_content_type_of_metrics(client: httpx.Client) -> None:
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_a_damaged_database_costs_jobs_but_no_pictures(
    client_with: Callable[..., Any],
    encoded: Callable[..., bytes],
    tmp_path: Path,
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    (tmp_path / "jobs.sqlite3").write_bytes(b"no database at all" * 100)
    with client_with(jobs_dir=tmp_path) as client:
        wait_until(lambda: {each["task"] for each in client.get("/readyz").json()["failing"]} == {"jobs", "sweep"})
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert "the database of jobs is damaged" in ready.json()["failing"][0]["error"]
        assert client.post("/v1/upscale", content=encoded()).status_code == 200
        for answer in (client.post("/v1/jobs", content=encoded()), client.get("/v1/jobs/a"), client.delete("/v1/jobs/a")):
            assert (answer.status_code, answer.json()["type"]) == (503, "/docs#no-storage")
            assert answer.headers["retry-after"] == "30"
            assert "move jobs.sqlite3 away" in answer.json()["detail"]
        (tmp_path / "jobs.sqlite3").rename(tmp_path / "damaged")
        id = client.post("/v1/jobs", content=encoded()).json()["id"]
        wait_until(lambda: client.get(f"/v1/jobs/{id}").json()["state"] == "done")
        wait_until(lambda: client.get("/readyz").json()["failing"] == [])


def test_refused_files_are_told(client_with: Callable[..., Any], nearest_x2: Path, without_contract: Path) -> None:
    with client_with(models=(nearest_x2, without_contract)) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["refused"]) == (200, [without_contract.name])
        refused = client.get("/v1/models").json()["refused"]
        assert "carries no contract" in refused[str(without_contract)]
        assert "upconv_models_refused 1.0" in client.get("/metrics").text


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child process of trials does not know the provider that stands in."""
    monkeypatch.setattr(TrialChild, "try_file", lambda *_: None)


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(("error", "passed"), [(0.0, True), (0.1, False)])
def test_a_proof_on_the_spot_is_shown(
    client_with: Callable[..., Any],
    webgpu_stand_in: StandIn,
    capsys: pytest.CaptureFixture[str],
    error: float,
    passed: bool,
) -> None:
    webgpu_stand_in(lambda output: output + np.float32(error))
    with client_with(provider="webgpu", unproved=not passed) as client:
        ready = client.get("/readyz").json()["models"][0]
        listed = client.get("/v1/models").json()["models"][0]
        metrics = client.get("/metrics").text.splitlines()
    assert ready["provider"] == listed["provider"] == "WebGpuExecutionProvider"
    assert ready["proof"] == listed["proof"]
    proof = ready["proof"]
    assert (proof["provider"], proof["measure"], proof["passed"]) == ("webgpu", "max_abs", passed)
    assert proof["value"] == pytest.approx(error, abs=1e-6)
    labels = 'model="nearest-x2-test",provider="WebGpuExecutionProvider",version="1"'
    [line] = [line for line in metrics if line.startswith(f"upconv_model_proof_ratio{{{labels}}} ")]
    assert float(line.split()[-1]) == pytest.approx(proof["share"])
    assert f'"event": "model {"proved" if passed else "unproved"}"' in capsys.readouterr().err


@pytest.mark.usefixtures("untried")
def test_a_model_that_fails_its_proof_is_refused_and_another_is_served(
    client_with: Callable[..., Any], webgpu_stand_in: StandIn, nearest_x2: Path, adder: Path
) -> None:
    webgpu_stand_in(lambda output: output + np.float32(0.1))
    with client_with(models=(nearest_x2, adder), provider="webgpu") as client:
        answer = client.get("/v1/models").json()
        assert [model["name"] for model in answer["models"]] == ["adder"]
        assert "is refused on webgpu: webgpu differs from the processor by 1.0e-01" in answer["refused"][str(nearest_x2)]
        assert client.get("/readyz").json()["refused"] == [nearest_x2.name]


def test_not_ready_while_the_device_does_not_answer(
    service: Any, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(*_: object) -> None:
        raise DeviceLostError("the device is lost")

    with monkeypatch.context() as patch:
        patch.setattr(LocalExecutor, "run", vanish)
        answer = service.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"})
        assert (answer.status_code, answer.json()["type"].rpartition("#")[2]) == (503, "device-lost")
        assert (service.get("/readyz").status_code, service.get("/readyz").json()["status"]) == (503, "device-lost")
        assert service.get("/healthz").status_code == 200
    assert service.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"}).status_code == 200
    assert service.get("/readyz").status_code == 200

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cluster.conftest import InProcess

from upconv.cluster.ingress import IngressApp, ingress_settings
from upconv.cluster.ray_executor import RayExecutor, TileTerms
from upconv.runtime import Upscaler
from upconv.runtime.errors import ModelError
from upconv.service import Settings
from upconv.service.state import ServiceState


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process of the tests is not that of an ingress replica."""
    monkeypatch.setattr("sys.setswitchinterval", lambda seconds: None)
    monkeypatch.setattr("upconv.service.heap.keep_out_of_collections", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_models_of_the_app_have_their_tiles_computed_elsewhere(transport: InProcess, nearest_x2: Path) -> None:
    settings = ingress_settings(Settings(models=(nearest_x2,), provider="auto", workers=7))
    assert (settings.provider, settings.workers) == ("cpu", None)
    made = IngressApp(settings, TileTerms(slots=2), {nearest_x2: transport})
    state: ServiceState = made.app.state.upconv
    assert state.executors is not None
    with Upscaler(nearest_x2, executor=state.executors(nearest_x2)) as upscaler:
        assert isinstance(upscaler.engine.executor, RayExecutor)
        upscaler.upscale(np.zeros((8, 8, 3), np.uint8))
    assert transport.calls == ["describe", "compute"]
    state.admission.cost_s = 1e6
    assert made._wait_s() == state.admission.wait_s > 0


def test_a_file_that_came_later_is_refused(transport: InProcess, nearest_x2: Path) -> None:
    made = IngressApp(Settings(models=(nearest_x2,)), TileTerms(slots=2), {nearest_x2: transport})
    with pytest.raises(
        ModelError, match=r"no process computes the tiles of other\.onnx, because it was not there at the start"
    ):
        made._executor(Path("other.onnx"))

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service import Settings, create_app, loading, reloading, supervisor
from upconv.service.errors import RefusedModelError, UnknownModelError
from upconv.service.trials.child_process import TrialChild

NEAREST, DECODER = "nearest-x2-test", "decoder-test"


@pytest.fixture
def state(tmp_path: Path, nearest_x2: Path, decoder: Path) -> Iterator[Any]:
    """The state of a service whose models are loaded."""
    shutil.copy(nearest_x2, tmp_path / "a.onnx")
    shutil.copy(decoder, tmp_path / "b.onnx")
    state = create_app(Settings(models=(tmp_path,), workers=1)).state.upconv
    state.registry = loading.load(state.settings, state.trials)
    yield state
    state.registry.close()
    state.trials.close()


def test_unload_and_load(state: Any) -> None:
    asyncio.run(reloading.unload_model(state, DECODER))
    assert list(state.models.entries) == [NEAREST]
    asyncio.run(reloading.replace_models(state))
    assert list(state.models.entries) == [NEAREST], "a reload leaves it unloaded"
    asyncio.run(reloading.load_model(state, DECODER))
    assert list(state.models.entries) == [NEAREST, DECODER]
    assert not state.models.unloaded


def test_the_last_model_stays(state: Any) -> None:
    asyncio.run(reloading.unload_model(state, NEAREST))
    with pytest.raises(RefusedModelError, match="is the last model, so it stays"):
        asyncio.run(reloading.unload_model(state, DECODER))
    assert list(state.models.entries) == [DECODER]


def test_what_cannot_be_loaded(state: Any, tmp_path: Path) -> None:
    (tmp_path / "c.onnx").write_bytes(b"nothing")
    with pytest.raises(RefusedModelError, match="not a model that onnxruntime can open"):
        asyncio.run(reloading.load_model(state, "c"))
    with pytest.raises(UnknownModelError, match="put its file there first"):
        asyncio.run(reloading.load_model(state, "d"))
    with pytest.raises(UnknownModelError, match="the loaded models are"):
        asyncio.run(reloading.unload_model(state, f"{NEAREST}@1"))


def test_the_default_moves_at_once_and_survives_a_reload(state: Any, nearest_x2: Path, tmp_path: Path) -> None:
    (tmp_path / "net" / "1").mkdir(parents=True)
    shutil.copy(nearest_x2, tmp_path / "net" / "1" / "model.onnx")
    asyncio.run(reloading.replace_models(state))
    assert state.models.default.name == NEAREST
    asyncio.run(reloading.set_default(state, {"net": 1}))
    asyncio.run(reloading.replace_models(state))
    assert state.models.default.name == "net"
    for name, error in (("gone", UnknownModelError), (DECODER, ParameterError)):
        with pytest.raises(error):
            asyncio.run(reloading.set_default(state, {name: 1}))
    assert state.models.default.name == "net"


def test_a_caller_that_goes_away_cancels_no_trial(
    state: Any, tmp_path: Path, nearest_x2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()
    go_on = threading.Event()

    def slow(*_: Any) -> None:
        began.set()
        assert go_on.wait(30)

    monkeypatch.setattr(TrialChild, "try_file", slow)
    (tmp_path / "net" / "1").mkdir(parents=True)
    (tmp_path / "net" / "1" / "model.onnx").write_bytes(nearest_x2.read_bytes() + b"\x22\x00")

    async def leave() -> None:
        call = asyncio.create_task(reloading.replace_models(state))
        await asyncio.to_thread(began.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(leave())
    go_on.set()
    asyncio.run(reloading.replace_models(state))
    assert "net" in state.models.entries


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_an_error_after_a_hangup_ends_nothing_and_is_tried_again(state: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.01)
    attempts: list[int] = []

    async def reread(_: Any) -> None:
        attempts.append(len(attempts))
        if len(attempts) < 3:
            raise OSError(errno.EIO, "Input/output error")

    async def hung_up() -> None:
        async with reloading.on_hangup(state):
            os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(20):
                while len(attempts) < 3 or state.supervisor.failing:
                    await asyncio.sleep(0.01)

    monkeypatch.setattr(reloading, "reread", reread)
    asyncio.run(hung_up())
    assert attempts == [0, 1, 2]

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from upconv.runtime import open_model
from upconv.runtime.errors import ModelError
from upconv.runtime.executors import LocalExecutor
from upconv.service import Settings, loading
from upconv.service.registry import Registry
from upconv.service.trials.trials import Trials

NEAREST, DECODER = "nearest-x2-test", "decoder-test"


def engines() -> int:
    return sum(thread.name.startswith("upconv-engine") for thread in threading.enumerate())


@pytest.fixture
def folder(tmp_path: Path, nearest_x2: Path) -> Iterator[Path]:
    shutil.copy(nearest_x2, tmp_path / "a.onnx")
    before = engines()
    yield tmp_path
    assert engines() == before


@pytest.fixture
def registry(folder: Path) -> Iterator[list[Registry]]:
    """What is loaded; closed at the end."""
    registries = [load(folder)]
    yield registries
    for each in registries:
        each.close()


def load(*models: Path, strict: bool = False) -> Registry:
    settings = Settings(models=models, workers=1, strict=strict)
    return loading.load(settings, Trials(settings))


def reload(registries: list[Registry], folder: Path) -> loading.Changes:
    settings = Settings(models=(folder,), workers=1)
    trials = Trials(settings)
    trials.wait(folder.glob("*.onnx"))
    new, changes = loading.reload(registries[-1], settings, trials)
    registries.append(new)
    return changes


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("nearest_x2", "both named nearest-x2-test"),
        ("without_contract", "carries no contract"),
        ("missing", "no model file"),
    ],
)
def test_the_start_takes_what_is_good(
    request: pytest.FixtureRequest, nearest_x2: Path, bad: str, words: str, tmp_path: Path
) -> None:
    path = Path("/missing.onnx") if bad == "missing" else Path(shutil.copy(request.getfixturevalue(bad), tmp_path / "b.onnx"))
    before = engines()
    with contextlib.closing(load(nearest_x2, path)) as registry:
        assert list(registry.entries) == [NEAREST]
        assert words in registry.refused[path]
        assert engines() == before + 1
    with pytest.raises(ModelError, match=words):
        load(nearest_x2, path, strict=True)
    assert engines() == before, "and nothing stays open"


def test_without_a_good_file_there_is_no_start(without_contract: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="carries no contract"):
        load(without_contract)
    with pytest.raises(ModelError, match=r"there is no \.onnx file in"):
        load(tmp_path)


def test_a_stop_ends_the_start(endless: Path) -> None:
    settings = Settings(models=(endless,), model_timeout_s=600)
    until = time.monotonic() + 1
    assert loading.load(settings, Trials(settings), lambda: time.monotonic() > until).models == ()


def test_a_file_on_trial_is_not_waited_for(registry: list[Registry], folder: Path, endless: Path, decoder: Path) -> None:
    shutil.copy(endless, folder / "b.onnx")
    shutil.copy(decoder, folder / "c.onnx")
    settings = Settings(models=(folder,), workers=1, model_timeout_s=600)
    trials = Trials(settings)
    trials.begin([folder / "b.onnx"])
    trials.wait([folder / "c.onnx"])
    new, changes = loading.reload(registry[-1], settings, trials)
    registry.append(new)
    assert changes == loading.Changes(loaded=[DECODER])
    assert new.on_trial == (folder / "b.onnx",)
    trials.close()


def test_versions_of_a_folder(folder: Path, nearest_x2: Path) -> None:
    for version in ("2", "10"):
        (folder / "net" / version).mkdir(parents=True)
        shutil.copy(nearest_x2, folder / "net" / version / "model.onnx")
    with contextlib.closing(load(folder)) as registry:
        assert list(registry.entries) == [NEAREST, "net"]
        assert registry.entry("net").version == "10"
        assert registry.entry("net", "2").model.path == folder / "net" / "2" / "model.onnx"
        assert registry.versions("net") == ["2", "10"]
        settings = Settings(models=(folder,), workers=1)
        trials = Trials(settings)
        shutil.rmtree(folder / "net" / "10")
        trials.wait([folder / "a.onnx", folder / "net" / "2" / "model.onnx"])
        new, changes = loading.reload(registry, settings, trials)
        assert changes == loading.Changes(removed=["net/10"])
        assert new.entry("net").version == "2"


def test_nothing_new(registry: list[Registry], folder: Path) -> None:
    assert reload(registry, folder) == loading.Changes()
    assert registry[0].entries[NEAREST] is registry[1].entries[NEAREST]
    assert loading.dropped(*registry) == []


def test_new_and_removed(registry: list[Registry], folder: Path, decoder: Path) -> None:
    (folder / ".hidden.onnx").write_bytes(b"")
    shutil.copy(decoder, folder / "b.onnx")
    assert reload(registry, folder) == loading.Changes(loaded=[DECODER])
    (folder / "a.onnx").unlink()
    assert reload(registry, folder) == loading.Changes(removed=[NEAREST])
    assert registry[-1].default is None
    (folder / "b.onnx").unlink()
    assert "no model would be left" in reload(registry, folder).refused["all"]
    assert registry[-1].models == registry[-2].models


def test_replaced_while_in_use(
    registry: list[Registry], folder: Path, nearest_x2: Path, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    old = registry[0].entries[NEAREST]
    with old.in_use():
        shutil.copy(nearest_x2, folder / "new")
        (folder / "new").replace(folder / "a.onnx")
        assert reload(registry, folder) == loading.Changes(replaced=[NEAREST])
        before = engines()
        for entry in loading.dropped(*registry):
            entry.retire()
        assert engines() == before, "who began with the old one, finishes with it"
    wait_until(lambda: engines() == before - 1)


@pytest.mark.parametrize(("content", "words"), [(b"", "can open"), (b"no model", "can open"), (None, "carries no contract")])
def test_bad_file_is_refused_and_the_old_one_stays(
    registry: list[Registry], folder: Path, without_contract: Path, content: bytes | None, words: str
) -> None:
    (folder / "a.onnx").write_bytes(without_contract.read_bytes() if content is None else content)
    changes = reload(registry, folder)
    assert words in changes.refused[str(folder / "a.onnx")]
    assert registry[1].entries[NEAREST] is registry[0].entries[NEAREST]
    assert "a.onnx" in str(reload(registry, folder).refused), "and is refused again"


def test_twin_is_refused(registry: list[Registry], folder: Path) -> None:
    shutil.copy(folder / "a.onnx", folder / "b.onnx")
    assert "both named" in reload(registry, folder).refused[str(folder / "b.onnx")]


def test_tiles_are_computed_where_the_caller_says(folder: Path) -> None:
    asked: list[Path] = []

    class Elsewhere(LocalExecutor):
        name = "elsewhere"

    def executor(path: Path) -> LocalExecutor:
        asked.append(path)
        return Elsewhere(open_model(path), slots=1)

    settings = Settings(models=(folder,))
    trials = Trials(settings)
    with contextlib.closing(loading.load(settings, trials, executors=executor)) as registry:
        assert registry.entry(NEAREST).provider == "elsewhere"
        shutil.copy(folder / "a.onnx", folder / "net.onnx")
        trials.wait([folder / "net.onnx"])
        _, changes = loading.reload(registry, settings, trials, executors=executor)
    assert "both named" in changes.refused[str(folder / "net.onnx")]
    assert asked == [folder / "a.onnx", folder / "net.onnx"]

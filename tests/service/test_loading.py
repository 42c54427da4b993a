from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from upconv.runtime.errors import ContractError, ModelError
from upconv.service import Settings, loading
from upconv.service.registry import Registry

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
    registries = [loading.load(Settings(models=(folder,), workers=1))]
    yield registries
    for each in registries:
        each.close()


def reload(registries: list[Registry], folder: Path) -> loading.Changes:
    new, changes = loading.reload(registries[-1], Settings(models=(folder,), workers=1))
    registries.append(new)
    return changes


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        (("nearest_x2", "nearest_x2"), ModelError, "both named nearest-x2-test"),
        (("nearest_x2", "without_contract"), ContractError, "carries no contract"),
        (("nearest_x2", "missing"), ModelError, "no model file"),
        (("empty",), ModelError, "there is no .onnx file in"),
    ],
)
def test_all_or_none(
    request: pytest.FixtureRequest, tmp_path: Path, files: tuple[str, ...], error: type[Exception], words: str
) -> None:
    places = {"missing": Path("/missing.onnx"), "empty": tmp_path}
    paths = tuple(places.get(name) or request.getfixturevalue(name) for name in files)
    before = engines()
    with pytest.raises(error, match=words):
        loading.load(Settings(models=paths, workers=1))
    assert engines() == before


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
    assert registry[-1] is registry[-2]


def test_replaced_while_in_use(registry: list[Registry], folder: Path, nearest_x2: Path) -> None:
    old = registry[0].entries[NEAREST]
    with old.in_use():
        shutil.copy(nearest_x2, folder / "new")
        (folder / "new").replace(folder / "a.onnx")
        assert reload(registry, folder) == loading.Changes(replaced=[NEAREST])
        before = engines()
        for entry in loading.dropped(*registry):
            entry.retire()
        assert engines() == before, "who began with the old one, finishes with it"
    assert engines() == before - 1


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

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from upconv.service.trials import proofs
from upconv.service.trials.proofs import Proofs, checksum

CPU: dict[str, object] = {"provider": "cpu"}


def test_a_proof_holds_for_its_conditions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Proofs(tmp_path / "a" / "b")
    assert not kept.has("0" * 64, CPU)
    kept.add("0" * 64, CPU)
    assert kept.has("0" * 64, CPU)
    assert not kept.has("1" * 64, CPU)
    assert not kept.has("0" * 64, {"provider": "cuda"})
    monkeypatch.setattr("onnxruntime.__version__", "99")
    assert not kept.has("0" * 64, CPU), "another onnxruntime may fail"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = Proofs(tmp_path / "file" / "folder")
    kept.add("0" * 64, CPU)
    assert not kept.has("0" * 64, CPU)


@pytest.mark.parametrize(("others", "kept"), [(2, True), (3, False)])
def test_the_oldest_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int, kept: bool) -> None:
    monkeypatch.setattr(proofs, "_MAX_PROOFS", 3)
    folder = Proofs(tmp_path)
    for number in range(others + 1):
        folder.add(str(number), CPU)
    assert folder.has("0", CPU) == kept
    assert len(list(tmp_path.iterdir())) == 3


def test_checksum(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert checksum(tmp_path / "file") == hashlib.sha256(b"content").hexdigest()


def test_the_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Proofs.of_user().folder == tmp_path / "upconv" / "tried-models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert Proofs.of_user().folder == Path("/home/ann/.cache/upconv/tried-models")

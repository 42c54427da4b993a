from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from upconv.runtime.errors import ParameterError
from upconv.service.web_runtime import FILES, MANIFEST, open_runtime, write_runtime


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A project with an npm package that looks like onnxruntime-web."""
    folder = tmp_path / "project" / "node_modules" / "onnxruntime-web"
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": "onnxruntime-web", "version": "1.2.3"}))
    for name in FILES:
        (folder / "dist" / name).write_bytes(b"\0asm...." if name.endswith(".wasm") else b"export {};")
    (folder / "dist" / "ort.all.js").write_text("not needed")
    return folder


@pytest.mark.parametrize("above", [0, 1, 2])
def test_only_what_is_needed_is_copied(package: Path, tmp_path: Path, above: int) -> None:
    given = [package, *package.parents][above]
    written = write_runtime(given, tmp_path / "out")
    assert written == open_runtime(tmp_path / "out")
    assert written.version == "1.2.3"
    assert {path.name for path in written.folder.iterdir()} == {*FILES, *(f"{name}.gz" for name in FILES), MANIFEST}
    for name, digest in written.sha256.items():
        content = (written.folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert gzip.decompress(written.compressed(name).read_bytes()) == content


def test_package_of_the_working_directory(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project" / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "project" / "deep")
    assert write_runtime(None, tmp_path / "out").version == "1.2.3"
    monkeypatch.chdir(tmp_path / "out")
    with pytest.raises(ParameterError, match="in the node_modules of this folder or of one above it; install it with: npm"):
        write_runtime(None, tmp_path / "other")


@pytest.mark.parametrize("text", [None, "no JSON", "[]", '{"name": "onnxruntime-node"}'])
def test_no_package(package: Path, tmp_path: Path, text: str | None) -> None:
    (package / "package.json").unlink()
    if text is not None:
        (package / "package.json").write_text(text)
    with pytest.raises(ParameterError, match=r"there is no npm package onnxruntime-web in .*project; install it with: npm"):
        write_runtime(tmp_path / "project", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", FILES)
def test_a_package_that_lacks_a_file(package: Path, tmp_path: Path, name: str) -> None:
    (package / "dist" / name).write_bytes(b"export {};" if name.endswith(".wasm") else b"\0asm....")
    with pytest.raises(ParameterError, match=f"{name} is not .*; install the package again"):
        write_runtime(package, tmp_path / "out")
    (package / "dist" / name).unlink()
    with pytest.raises(ParameterError, match=f"onnxruntime-web 1.2.3 in .* has no dist/{name}; install a current version"):
        write_runtime(package, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_was_changed(package: Path, tmp_path: Path) -> None:
    out = write_runtime(package, tmp_path / "out").folder
    with pytest.raises(ParameterError, match="holds no files of onnxruntime-web that upconv wrote; make it with: upconv web"):
        open_runtime(package)
    name = next(iter(FILES))
    (out / name).write_text("other")
    with pytest.raises(ParameterError, match=f"{name} is missing or has changed since it was written"):
        open_runtime(out)
    (out / name).unlink()
    with pytest.raises(ParameterError, match=f"{name} is missing or has changed since it was written"):
        open_runtime(out)
    (out / MANIFEST).write_text('{"sha256": {"other.js": "0"}}')
    with pytest.raises(ParameterError, match="lists other files than this version of upconv serves"):
        open_runtime(out)

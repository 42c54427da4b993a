from __future__ import annotations

from pathlib import Path

import pytest

from upconv.runtime.errors import OutputError, ParameterError
from upconv.service.whole_folder import whole_folder


@pytest.mark.parametrize("exists", [False, True])
def test_written(tmp_path: Path, exists: bool) -> None:
    out = tmp_path / "out"
    if exists:
        out.mkdir()
    with whole_folder(out) as partial:
        (partial / "file").write_text("text")
        assert not (out / "file").exists()
    assert (out / "file").read_text() == "text"
    assert list(tmp_path.iterdir()) == [out]


def test_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    def write() -> None:
        with whole_folder(tmp_path / "out") as partial:
            (partial / "file").write_text("text")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert not list(tmp_path.iterdir())


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*out: Permission denied"), whole_folder(tmp_path / "out"):
        raise PermissionError(13, "Permission denied")


def test_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("text")
    for out, words in (
        (tmp_path, "is not empty; delete it first"),
        (tmp_path / "mine", "is a file; give --output a folder"),
        (tmp_path / "a" / "b", "there is no folder .*a to make b in"),
    ):
        with pytest.raises(ParameterError, match=words), whole_folder(out):
            pass
    assert (tmp_path / "mine").read_text() == "text"

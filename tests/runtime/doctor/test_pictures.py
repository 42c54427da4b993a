from __future__ import annotations

import importlib.util

import pytest

from upconv.runtime import libvips
from upconv.runtime.codecs.formats import ANIMATED, FORMATS, WRITABLE
from upconv.runtime.doctor import pictures
from upconv.runtime.doctor.pictures import picture_checks
from upconv.runtime.install_hints import install_command


def test_every_format_is_checked() -> None:
    checks = list(picture_checks())
    assert [check.name for check in checks] == ["libvips", "pillow", "heic"]
    assert all(check.state == "ok" for check in checks if check.name != "heic")
    assert set(pictures._WRITERS) == {*WRITABLE, *ANIMATED}
    assert set(pictures._READERS) | {"heic", "bmp", "tga", "pnm", "jp2"} == set(FORMATS)


@pytest.mark.parametrize(("operation", "state", "fatal"), [("heifsave", "missing", False), ("jpegload", "broken", True)])
def test_a_libvips_without_a_format(operation: str, state: str, fatal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = libvips.pyvips.type_find
    monkeypatch.setattr(libvips.pyvips, "type_find", lambda base, name: 0 if name == operation else found(base, name))
    check = next(picture_checks())
    assert (check.state, check.fatal) == (state, fatal)
    assert "pyvips-binary" in check.advice


def test_a_libvips_that_cannot_be_loaded_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(part: int) -> int:
        raise OSError("libvips.so.42: cannot open shared object file")

    monkeypatch.setattr(libvips.pyvips, "version", fails)
    check = next(picture_checks())
    assert (check.fatal, "cannot open shared object file" in check.found) == (True, True)


def test_without_the_package_for_heic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda name: None if name == "pillow_heif" else importlib.util.find_spec(name))
    *_, check = picture_checks()
    assert (check.state, check.advice, check.fatal) == ("missing", install_command("heic"), False)


def test_a_pillow_without_jpeg_2000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.features.check", lambda feature: False)
    _, check, _ = picture_checks()
    assert (check.state, check.found) == ("missing", "reads bmp, tga, pnm; without jp2")

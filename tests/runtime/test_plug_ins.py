from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from upconv.runtime import plug_ins
from upconv.runtime.errors import ProviderError
from upconv.runtime.provider_table import PlugIn, ProviderEntry


def entry(module: str, library: str = "get_library_path") -> ProviderEntry:
    return ProviderEntry("other", "OtherExecutionProvider", "a card", plug_in=PlugIn("other-plug-in", module, library=library))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a package that stands in for a plug-in whose library is not one for this onnxruntime."""
    (tmp_path / "other_plug_in.py").write_text("def get_library_path():\n    return LIBRARY\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "other_plug_in", raising=False)
    return tmp_path / "other_plug_in.py"


def test_a_plug_in_is_installed_if_its_module_is(package: Path) -> None:
    assert plug_ins.is_installed(entry("other_plug_in"))
    assert not plug_ins.is_installed(entry("none_plug_in"))
    assert not plug_ins.is_installed(ProviderEntry("cpu", "CPUExecutionProvider", "any processor"))


@pytest.mark.skipif(not hasattr(ort, "get_ep_devices"), reason="this onnxruntime takes no plug-ins")
@pytest.mark.parametrize("kind", ["another library", "no library"])
def test_a_plug_in_of_another_version_is_an_error_that_names_both_versions(package: Path, kind: str) -> None:
    library = Path(np._core._multiarray_umath.__file__) if kind == "another library" else package  # type: ignore[attr-defined]
    package.write_text(f"LIBRARY = {str(library)!r}\n{package.read_text()}")
    plug_ins._registered.cache_clear()
    expected = (
        f"^the plug-in other-plug-in of an unknown version for other cannot be loaded by onnxruntime {ort.__version__}: .*; "
        "install versions that belong together: pip install --upgrade onnxruntime other-plug-in$"
    )
    with pytest.raises(ProviderError, match=expected) as caught:
        plug_ins.plug_in_devices(entry("other_plug_in"))
    assert "ONNXRuntimeError" not in str(caught.value)


def test_a_plug_in_without_its_function_or_module_is_an_error(package: Path) -> None:
    with pytest.raises(ProviderError, match="has no attribute 'library_path'"):
        plug_ins.plug_in_devices(entry("other_plug_in", "library_path"))
    with pytest.raises(ProviderError, match=r"cannot be loaded by onnxruntime .*: No module named 'none_plug_in'"):
        plug_ins.plug_in_devices(entry("none_plug_in"))


def test_an_onnxruntime_that_takes_no_plug_ins_is_an_error(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package.write_text(f"LIBRARY = ''\n{package.read_text()}")
    monkeypatch.delattr(ort, "register_execution_provider_library", raising=False)
    plug_ins._registered.cache_clear()
    with pytest.raises(ProviderError, match="register_execution_provider_library"):
        plug_ins.plug_in_devices(entry("other_plug_in"))

from __future__ import annotations

from upconv.export.conformance.grid_backends import SERVED, present


def test_the_backends_that_need_no_extra_package_are_present() -> None:
    names = [backend.name for backend in present()]
    assert names[:3] == ["onnxruntime:disabled", SERVED, "reference:float32"]

from __future__ import annotations

import sys

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import Write, drawn, plain, tagged

from upconv.export.sources.ncnn.ncnn_runtime import ncnn_runtime
from upconv.runtime.errors import ExportError

LAYERS = ["Input data 0 1 data", "Convolution conv 1 1 data out 0=4 1=3 5=1 6=108"]


def test_each_picture_of_a_batch_is_computed(write: Write) -> None:
    pytest.importorskip("ncnn")
    path = write(LAYERS, tagged(drawn(108)), plain(drawn(4)))
    runtime = ncnn_runtime(path, path.with_suffix(".bin"), ["data"], ["out"])
    assert runtime is not None
    batch = drawn(2, 3, 6, 7)
    (together,) = runtime.run([batch])
    assert together.shape == (2, 4, 4, 5)
    np.testing.assert_array_equal(together[1], runtime.run([batch[1:]])[0][0])


def test_files_that_ncnn_refuses_are_named(write: Write) -> None:
    pytest.importorskip("ncnn")
    path = write(LAYERS)
    with pytest.raises(ExportError, match=r"ncnn cannot load .*net\.param"):
        ncnn_runtime(path, path.with_suffix(".bin"), ["data"], ["out"])


def test_without_ncnn_there_is_none(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ncnn", None)
    path = write(LAYERS)
    assert ncnn_runtime(path, path.with_suffix(".bin"), ["data"], ["out"]) is None

from __future__ import annotations

import gc
import stat
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from upconv.export.backends import OnnxruntimeBackend, runtime_process
from upconv.export.backends.runtime_process import ProcessBackend, RuntimeCommand
from upconv.runtime.errors import ExportError, ProviderError

WORKER = str(Path(runtime_process.__file__).with_name("process_worker.py"))
HERE = RuntimeCommand("onnxruntime-here", (sys.executable, "-I", WORKER))


def model(kind: int = TensorProto.FLOAT, operator: str = "Add") -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, kind, ["n", "m"]) for name in "ab"]
    outputs = [helper.make_tensor_value_info(name, kind, None) for name in "yz"]
    nodes = [helper.make_node(operator, ["a", "b"], ["y"]), helper.make_node("Mul", ["a", "b"], ["z"])]
    graph = helper.make_graph(nodes, "test", values, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def program(folder: Path, text: str) -> RuntimeCommand:
    path = folder / "worker"
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return RuntimeCommand("onnxruntime-mine", (str(path),))


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64])
def test_another_process_computes_the_same(kind: int) -> None:
    inputs = [(np.arange(6).reshape(2, 3) + n).astype(helper.tensor_dtype_to_np_dtype(kind)) for n in range(2)]
    backend = ProcessBackend(HERE, model(kind))
    own = OnnxruntimeBackend(model(kind))
    assert (backend.name, backend.version, backend.level) == ("onnxruntime-here cpu", own.version, "all")
    for _ in range(2):
        for got, expected in zip(backend.run(inputs), own.run(inputs), strict=True):
            assert got.dtype == expected.dtype
            assert np.array_equal(got, expected)
    empty = [np.zeros((0, 3), inputs[0].dtype)] * 2
    assert backend.run(empty)[0].shape == (0, 3)


def test_a_graph_that_it_cannot_open_is_an_error() -> None:
    with pytest.raises(ExportError, match=r"^onnxruntime-here cannot open the graph: .*Nonsense"):
        ProcessBackend(HERE, model(operator="Nonsense"))


def test_an_input_that_it_refuses_is_an_error_and_the_next_one_is_computed() -> None:
    backend = ProcessBackend(HERE, model())
    with pytest.raises(ExportError, match=r"^onnxruntime-here cannot run the graph on \(2, 3\), \(4, 5\): "):
        backend.run([np.zeros((2, 3), np.float32), np.zeros((4, 5), np.float32)])
    assert backend.run([np.ones((1, 2), np.float32)] * 2)[0].tolist() == [[2, 2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sys.exit(3)", "cannot open the graph: its process ended with status 3$"),
        ("sys.exit('no such library')", r"its process ended with status 1 \(no such library\)$"),
        ("import os; os.kill(os.getpid(), 11)", "its process was ended by signal 11$"),
        (
            'print(\'{"arrays": [], "version": "1", "device": "cpu"}\', flush=True); sys.exit(4)',
            r"run the graph on \(1, 1\): .* status 4",
        ),
    ],
)
def test_a_process_that_ends_is_an_error_that_says_how(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=message):
        ProcessBackend(program(tmp_path, text), model()).run([np.zeros((1, 1), np.float32)])


def test_a_truncated_answer_is_an_error(tmp_path: Path) -> None:
    opened = '{"arrays": [], "version": "1", "device": "cpu"}'
    answer = '{"arrays": [{"dtype": "float32", "shape": [2, 2]}]}'
    backend = ProcessBackend(program(tmp_path, f"print({opened!r})\nprint({answer!r})\nprint('abc', flush=True)"), model())
    with pytest.raises(ExportError, match="its process ended with status 0"):
        backend.run([np.zeros((1, 1), np.float32)])


def test_a_runtime_without_a_device_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"^it found no device; see docs/parity.md for what onnxruntime-mine needs$"):
        ProcessBackend(program(tmp_path, 'print(\'{"missing": "it found no device"}\')'), model())


def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ExportError, match=r"^onnxruntime-gone cannot be started: /nowhere/python: No such file or directory$"):
        ProcessBackend(RuntimeCommand("onnxruntime-gone", ("/nowhere/python",)), model())


def test_a_worker_that_does_not_answer_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_process, "PATIENCE_S", 0.3)
    with pytest.raises(ExportError, match="its process was ended by signal 9"):
        ProcessBackend(program(tmp_path, "time.sleep(60)"), model())


def test_the_process_ends_with_the_backend() -> None:
    backend = ProcessBackend(HERE, model())
    process = backend._process
    assert process.poll() is None
    del backend
    assert process.poll() is not None


def test_the_process_ends_with_a_cycle_of_garbage() -> None:
    backend = ProcessBackend(HERE, model())
    process = backend._process
    error = ExportError("it keeps the backend, as the frames of a traceback do")
    error.__notes__ = [backend, error]  # type: ignore[list-item]
    del backend, error
    assert process.poll() is None
    gc.collect()
    assert process.poll() is not None

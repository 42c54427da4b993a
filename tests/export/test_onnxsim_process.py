from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from upconv.export import onnxsim_worker
from upconv.export.onnxsim_process import OnnxsimProcess


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A graph of two nodes that is simplified to one, and the place of the result."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]) for name in "xy"]
    nodes = [helper.make_node("Identity", ["x"], ["v"]), helper.make_node("Relu", ["v"], ["y"])]
    model = helper.make_model(
        helper.make_graph(nodes, "g", values[:1], values[1:]), opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    )
    onnx.save(model, tmp_path / "before.onnx")
    return tmp_path / "before.onnx", tmp_path / "after.onnx"


@pytest.fixture
def onnxsim() -> Iterator[OnnxsimProcess]:
    process = OnnxsimProcess()
    yield process
    process.close()


def worker(onnxsim: OnnxsimProcess) -> subprocess.Popen[str]:
    assert onnxsim._process is not None
    return onnxsim._process


def test_one_process_simplifies_all_graphs(onnxsim: OnnxsimProcess, files: tuple[Path, Path]) -> None:
    processes = set()
    for _ in range(2):
        files[1].unlink(missing_ok=True)
        assert onnxsim.run(*files, timeout_s=60) is None
        assert [node.op_type for node in onnx.load(files[1]).graph.node] == ["Relu"]
        processes.add(worker(onnxsim).pid)
    files[0].write_bytes(b"no graph")
    assert str(onnxsim.run(*files, timeout_s=60)).startswith("onnxsim ended with code 1: google.protobuf.message.DecodeError: ")
    assert {worker(onnxsim).pid} == processes, "a graph that fails leaves the process as it is"


def test_a_process_that_ends_before_it_reads_is_closed(onnxsim: OnnxsimProcess, files: tuple[Path, Path]) -> None:
    assert onnxsim.run(*files, timeout_s=60) is None
    process = worker(onnxsim)
    assert process.stdin is not None
    process.kill()
    process.wait()
    process.stdin.write("a request that is not flushed\n")
    onnxsim.close()
    assert process.stdin.closed


def test_a_process_that_is_killed_is_replaced(onnxsim: OnnxsimProcess, files: tuple[Path, Path]) -> None:
    assert onnxsim.run(*files, timeout_s=60) is None
    old = worker(onnxsim)
    old.kill()
    old.wait()
    assert onnxsim.run(*files, timeout_s=60) is None
    assert worker(onnxsim).pid != old.pid


@pytest.mark.parametrize(
    ("program", "timeout_s", "reason"),
    [
        ("import os; input(); os.kill(os.getpid(), 11)", 60, "onnxsim ended with code -11: no message"),
        ("import time; time.sleep(600)", 0.2, "onnxsim took longer than 0.2 s"),
        ("raise ImportError('no onnxsim')", 60, "onnxsim ended with code 1: ImportError: no onnxsim"),
        ("input(); print(0, flush=True); input()", 60, "onnxsim ended with code 0: no message"),
    ],
)
def test_each_failure_is_told(
    onnxsim: OnnxsimProcess,
    files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    timeout_s: float,
    reason: str,
) -> None:
    (tmp_path / "program.py").write_text(program)
    monkeypatch.setattr(onnxsim_worker, "__file__", str(tmp_path / "program.py"))
    assert onnxsim.run(*files, timeout_s=timeout_s) == reason


def test_threads_take_turns(onnxsim: OnnxsimProcess, files: tuple[Path, Path], tmp_path: Path) -> None:
    found: list[str | None] = []
    threads = [
        threading.Thread(target=lambda name=name: found.append(onnxsim.run(files[0], tmp_path / name, timeout_s=60)))
        for name in ("a.onnx", "b.onnx", "c.onnx")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [None] * 3
    assert all((tmp_path / name).exists() for name in ("a.onnx", "b.onnx", "c.onnx"))


def test_the_process_ends_with_its_owner(files: tuple[Path, Path]) -> None:
    program = (
        "import os, sys; from pathlib import Path; from upconv.export.onnxsim_process import ONNXSIM\n"
        "print(ONNXSIM.run(Path(sys.argv[1]), Path(sys.argv[2]), 60), ONNXSIM._process.pid, flush=True)\n"
        "os.kill(os.getpid(), int(sys.argv[3])) if sys.argv[3] != '0' else None"
    )
    for signal in (0, 9):
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", program, *map(str, files), str(signal)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        answer, pid = done.stdout.split()
        assert (answer, done.returncode, done.stderr) == ("None", -signal, "")
        _wait_for_end(int(pid))


def _wait_for_end(pid: int) -> None:
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
            os.kill(pid, 0)
        except (OSError, ProcessLookupError):
            return
        threading.Event().wait(0.01)
    pytest.fail(f"process {pid} goes on")

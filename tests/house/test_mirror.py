"""Tests mirror the product: tests/export/parity/test_bisection.py is for export/parity/bisection.py."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
FOLDERS = ("cli", "cluster", "export", "models", "runtime", "service")
UNTESTED: dict[str, str] = {
    "export/formats/file_format.py": "an interface",
    "cluster/handle_transport.py": "needs Ray; covered by tests/cluster/test_serving.py",
    "export/repositories/repository_format.py": "an interface",
    "runtime/folders/worker_order.py": "a dataclass, covered by tests/runtime/folders/test_worker_program.py",
    "export/backends/openvino_model.py": "covered by tests/export/parity/test_comparison.py, where OpenVINO is installed",
    "export/backends/process_worker.py": "a program, which tests/export/backends/test_runtime_process.py runs",
    "export/onnxsim_worker.py": "a program, which tests/export/test_onnxsim_process.py runs",
    "export/capture/interpolation/exported_program.py": "covered by tests/export/test_conformance.py",
    "export/parity/parity_backend.py": "a dataclass, covered by tests/export/parity/test_backend_choice.py",
    "export/sources/ncnn/blob.py": "a dataclass, covered by the tests of the layers beside it",
    "export/sources/ncnn/graph_builder.py": "covered by tests/export/sources/ncnn/test_conversion.py and those of the layers",
    "export/sources/ncnn/handler.py": "the bounds of layers, covered by the tests of the layers",
    "runtime/remote/endpoint.py": "covered by tests/runtime/remote/test_remote_executor.py",
    "runtime/remote/faults.py": "errors, covered by the tests beside it",
    "runtime/remote/fleet.py": "covered by tests/runtime/remote/test_remote_executor.py",
    "runtime/remote/tensor_messages.py": "covered by tests/runtime/remote/test_remote_executor.py",
    "runtime/remote/tile_client.py": "covered by tests/runtime/remote/test_remote_executor.py and test_inspection.py",
    "runtime/remote/tile_race.py": "covered by tests/runtime/remote/test_remote_executor.py",
    "service/app.py": "assembles the app, which every test in tests/service/routes uses",
    "service/fetching.py": "covered by tests/service/routes/test_sources.py",
    "service/inference_protocol/inference.py": "covered by tests/service/routes/test_inference_protocol.py",
    "service/inference_protocol/metadata.py": "covered by tests/service/routes/test_inference_protocol.py",
    "service/inference_protocol/request.py": "covered by tests/service/routes/test_inference_protocol.py",
    "service/inference_work.py": "covered by tests/service/routes/test_inference_protocol.py and tests/service/grpc_protocol",
    "service/jobs/events.py": "covered by tests/service/routes/test_jobs.py",
    "service/jobs/job.py": "a dataclass, covered by tests/service/jobs/test_store.py",
    "service/jobs/schema.py": "an interface and a table, covered by tests/service/jobs/test_store.py",
    "service/network/http_server.py": "covered by tests/service/test_server.py and those of tests/service/network",
    "service/openapi/refusals.py": "covered by tests/system/test_openapi_conformance.py",
    "service/routes/inference_call.py": "covered by tests/service/routes/test_inference_protocol.py",
}
"""Modules that need no test file of their own, with the reason."""

Check = Callable[[str, Iterable[str]], None]


def place(path: str) -> str:
    """Return where the test of a module belongs."""
    module = PurePosixPath(path.removeprefix("src/upconv/"))
    return str(module.parent / f"test_{module.name}")


def has_public(tree: ast.Module) -> bool:
    """Return whether a module defines a public function or class."""
    return any(
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        for node in tree.body
    )


def test_each_test_file_has_its_module_or_package(modules: dict[str, ast.Module], check: Check) -> None:
    places = {place(path) for path in modules}
    packages = (PurePosixPath(path.removeprefix("src/upconv/")).parent for path in modules if path.endswith("/__init__.py"))
    for package in packages:  # its test stands in its own folder or beside it
        places |= {str(package / f"test_{package.name}.py"), str(package.parent / f"test_{package.name}.py")}
    tests = (test.relative_to(TESTS).as_posix() for folder in FOLDERS for test in (TESTS / folder).rglob("test_*.py"))
    check("test without a module", (test for test in tests if test not in places))


def test_each_module_with_something_public_has_a_test_file(modules: dict[str, ast.Module], check: Check) -> None:
    tested = (
        path
        for path, tree in modules.items()
        if has_public(tree) and PurePosixPath(path).name not in ("__init__.py", "__main__.py")
    )
    missing = [path for path in tested if not (TESTS / place(path)).is_file()]
    assert set(UNTESTED) <= set(missing), "what has a test file needs no reason"
    check("module without a test", (path for path in missing if path not in UNTESTED))

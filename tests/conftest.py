"""Tiny models built in code, with contracts, for tests that need a file to open."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper
from tests.bucket_folder import BucketFolder

from upconv.runtime.contract import KEY, Contract, Halo, Pixels, Provenance, SizeLaw

if TYPE_CHECKING:
    from tests.service.object_store import ObjectStore
    from torch import nn

    from upconv.export import Artifact

settings.register_profile("any machine", deadline=None)  # a timing is never a test
settings.load_profile("any machine")

P = ParamSpec("P")
R = TypeVar("R")


class Exported(Protocol):
    """Exports a module and reads the file back."""

    def __call__(
        self, module: nn.Module, shape: tuple[int, ...] | None = None, name: str = "model"
    ) -> tuple[Artifact, onnx.ModelProto]: ...


@pytest.fixture(scope="session", autouse=True)
def torch_untraced() -> Iterator[None]:
    """Pause coverage while torch captures a module. Coverage is measured in this project only, but slows torch down, too."""
    if sys.gettrace() is None:
        yield
        return
    import torch.onnx

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", _untraced(torch.onnx.export))
        yield


def _untraced(function: Callable[P, R]) -> Callable[P, R]:
    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return function(*args, **kwargs)
        finally:
            sys.settrace(tracer)
            _nothing()  # coverage's tracer is fully on again when the next function is called

    return call


def _nothing() -> None: ...


@pytest.fixture(scope="session")
def _object_store() -> Iterator[ObjectStore]:
    for package in ("obstore", "boto3", "moto"):
        pytest.importorskip(package)
    from tests.service.object_store import object_store

    with object_store() as store:
        yield store


@pytest.fixture
def bucket_folder(_object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> BucketFolder:
    """Return an empty folder in a bucket, with what is needed in the environment to use it."""
    for name, value in _object_store.environment.items():
        monkeypatch.setenv(name, value)
    return BucketFolder(_object_store)


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    """An export into the test's own folder."""
    from upconv.export import from_module, to_onnx

    def run(module: nn.Module, shape: tuple[int, ...] | None = None, name: str = "model") -> tuple[Artifact, onnx.ModelProto]:
        artifact = to_onnx(from_module(module, name=name, shape=shape), out=tmp_path / f"{name}.onnx")
        return artifact, onnx.load(artifact.path)

    return run


@pytest.fixture(scope="session")
def nearest_x2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that doubles every pixel: what it puts out is known without running it."""
    resize = helper.make_node(
        "Resize",
        ["image", "", "scales"],
        ["output"],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    contract = Contract(
        name="nearest-x2-test",
        task="upscale",
        height=SizeLaw(scale=2),
        width=SizeLaw(scale=2),
        halo=Halo(top=0, bottom=0, left=0, right=0),
        input=Pixels(),
        output=Pixels(),
        opset=18,
        provenance=Provenance(source="built in a test"),
    )
    return _save(tmp_path_factory.mktemp("nearest") / "nearest.onnx", [resize], [scales], contract.to_json())


class StandIn(Protocol):
    """Makes `webgpu` a provider of this process: onnxruntime's own kernels, whose outputs are changed."""

    def __call__(self, change: Callable[[np.ndarray], np.ndarray] = ..., start: Callable[[], None] = ...) -> None: ...


@pytest.fixture
def webgpu_stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A provider that can be given faults, which no real one has on demand. `change` and `start` may raise."""
    create, run, providers = (
        getattr(ort.InferenceSession, name) for name in ("_create_inference_session", "run", "get_providers")
    )
    names = ["WebGpuExecutionProvider", "CPUExecutionProvider"]

    def add(
        change: Callable[[np.ndarray], np.ndarray] = lambda output: output, start: Callable[[], None] = lambda: None
    ) -> None:
        def created(session: Any, chosen: Any, *others: Any) -> None:
            session.stands_in = bool(chosen) and chosen[0][0] == names[0]
            if session.stands_in:
                start()
            create(session, ["CPUExecutionProvider"], None)

        def computed(session: Any, *arguments: Any) -> Any:
            outputs = run(session, *arguments)
            return [change(output) for output in outputs] if session.stands_in else outputs

        monkeypatch.setattr(ort, "get_available_providers", lambda: names)
        monkeypatch.setattr(ort.InferenceSession, "_create_inference_session", created)
        monkeypatch.setattr(ort.InferenceSession, "run", computed)
        monkeypatch.setattr(ort.InferenceSession, "get_providers", lambda self: names if self.stands_in else providers(self))

    return add


@pytest.fixture(scope="session")
def without_contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that onnxruntime runs and that says nothing about itself."""
    return _save(tmp_path_factory.mktemp("bare") / "bare.onnx", [helper.make_node("Identity", ["image"], ["output"])], [], None)


@pytest.fixture
def photograph() -> Callable[[int, int], np.ndarray]:
    """Pixels (height, width, 3), uint8, smooth with some noise, the same each time."""

    def make(height: int, width: int) -> np.ndarray:
        y, x = np.mgrid[0:height, 0:width]
        waves = np.stack([np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 11)], axis=-1) * 90 + 128
        noise = np.random.default_rng(0).normal(0, 6, (height, width, 3))
        pixels: np.ndarray = np.clip(waves + noise, 0, 255).astype(np.uint8)
        return pixels

    return make


def _save(path: Path, nodes: list[onnx.NodeProto], initializers: list[onnx.TensorProto], contract: str | None) -> Path:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, "height", "width"])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3, None, None])
    graph = helper.make_graph(nodes, "test", [image], [output], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if contract is not None:
        helper.set_model_props(model, {KEY: contract})
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session", name="drawn")
def _drawn() -> Callable[[ModuleType], dict[str, str]]:
    return drawn_tree


def drawn_tree(module: ModuleType) -> dict[str, str]:
    """Return the classes that the docstring of `module` draws as a tree, each with its parent."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (module.__doc__ or "").splitlines():
        match = re.match(r"(?P<indent>(?: [│ ]  )*)(?: [├└]─ )?(?P<name>[A-Z][A-Za-z]+)(?:$| {2,})", line)
        if match is None or (not path and match["name"] != "UpconvError"):
            continue
        depth = len(match["indent"]) // 4 + ("─" in line)
        path[depth:] = [match["name"]]
        if depth:
            parents[match["name"]] = path[depth - 1]
    return parents

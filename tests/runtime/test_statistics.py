from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from upconv.runtime.contract import KEY, Contract, Halo, Pixels, Provenance, SizeLaw, Statistic
from upconv.runtime.engine import Engine
from upconv.runtime.errors import ModelError
from upconv.runtime.planner import Planner
from upconv.runtime.session import open_model
from upconv.runtime.upscaler import Upscaler

CHANNELS = 8


def excited(name: str, x: str) -> list[NodeProto]:
    """Return nodes that multiply `x` by a function of its mean over the picture."""
    return [
        helper.make_node("GlobalAveragePool", [x], [f"{name}_mean"]),
        helper.make_node("Conv", [f"{name}_mean", "squeeze"], [f"{name}_squeezed"]),
        helper.make_node("Sigmoid", [f"{name}_squeezed"], [f"{name}_factor"]),
        helper.make_node("Mul", [x, f"{name}_factor"], [name]),
    ]


def saved(path: Path, statistics: tuple[Statistic, ...]) -> Path:
    """Save a network x2 with two levels of squeeze-and-excitation, whose second one works on half the resolution."""
    random = np.random.default_rng(0)
    shapes = {"w": (CHANNELS, 3, 3, 3), "down": (CHANNELS, CHANNELS, 2, 2), "squeeze": (CHANNELS, CHANNELS, 1, 1)}
    shapes |= {"up": (CHANNELS, CHANNELS, 2, 2), "last": (12, CHANNELS, 3, 3)}
    weights = [
        numpy_helper.from_array(random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["first"], pads=[1, 1, 1, 1]),
        *excited("one", "first"),
        helper.make_node("Conv", ["one", "down"], ["low"], strides=[2, 2]),
        helper.make_node("Relu", ["low"], ["second"]),
        *excited("two", "second"),
        helper.make_node("ConvTranspose", ["two", "up"], ["high"], strides=[2, 2]),
        helper.make_node("Conv", ["high", "last"], ["shuffled"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["shuffled"], ["output"], blocksize=2, mode="CRD"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 3, None, None])
    graph = helper.make_graph(nodes, "test", [image], [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    law = SizeLaw(scale=2, multiple=2, minimum=2)
    contract = Contract(
        name="excited",
        task="upscale",
        height=law,
        width=law,
        halo=Halo(top=3, bottom=3, left=3, right=3),
        statistics=statistics,
        input=Pixels(),
        output=Pixels(),
        opset=18,
        provenance=Provenance(source="built in a test"),
    )
    helper.set_model_props(model, {KEY: contract.to_json()})
    onnx.save(model, path)
    return path


STATISTICS = (
    Statistic(features="first", mean="one_mean", channels=CHANNELS, level=0),
    Statistic(features="second", mean="two_mean", channels=CHANNELS, level=1, scale=0.5),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("excited") / "model.onnx", STATISTICS)


@pytest.mark.parametrize("size", [(64, 64), (61, 130), (2, 90), (33, 30)])
def test_tiles_equal_the_whole_picture(model: Path, size: tuple[int, int]) -> None:
    """The picture is brighter on one side, so the mean of a tile differs from that of the picture."""
    opened = open_model(model)
    planes = np.random.default_rng(1).random((3, *size), np.float32) * np.linspace(0, 1, size[1], dtype=np.float32)
    with Engine(opened, tile_px=24, workers=2) as tiled, Engine(opened, tile_px=512) as whole:
        assert len(whole.plan(*size).tiles) == 1
        assert len(tiled.plan(*size).tiles) > 1
        np.testing.assert_allclose(tiled.enlarge(planes), whole.enlarge(planes), atol=1e-5)


def test_without_its_means_a_tile_differs(model: Path, tmp_path: Path) -> None:
    """The comparison above would notice a tile that uses its own mean."""
    alone = open_model(saved(tmp_path / "alone.onnx", ()))
    planes = np.random.default_rng(1).random((3, 64, 130), np.float32) * np.linspace(0, 1, 130, dtype=np.float32)
    with Engine(alone, tile_px=24) as tiled, Engine(alone, tile_px=512) as whole:
        assert np.abs(tiled.enlarge(planes) - whole.enlarge(planes)).max() > 1e-3


def test_progress_counts_the_tiles_of_all_passes(model: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (100, 90, 3), np.uint8)
    seen: list[tuple[int, int]] = []
    with Upscaler(model, tile_px=32) as upscaler:
        from upconv.runtime.image_types import to_picture

        passes = upscaler.passes(90, 100)
        upscaler.run(to_picture(picture), on_tile=lambda done, total: seen.append((done, total)))
    assert passes.tiles == 3 * len(passes.plans[0].tiles)
    assert sorted(seen) == [(n + 1, passes.tiles) for n in range(passes.tiles)]


def test_a_picture_of_one_tile_takes_one_pass(model: Path) -> None:
    with Upscaler(model, tile_px=64) as upscaler:
        assert upscaler.passes(60, 60).tiles == 1


def test_levels_count_the_passes_before_the_last(model: Path) -> None:
    assert open_model(model).contract.levels == 2


def test_a_contract_that_names_a_missing_tensor_is_refused(tmp_path: Path) -> None:
    wrong = (Statistic(features="nowhere", mean="one_mean", channels=CHANNELS, level=0),)
    planes = np.zeros((3, 64, 64), np.float32)
    with (
        Engine(open_model(saved(tmp_path / "wrong.onnx", wrong)), tile_px=24) as engine,
        pytest.raises(ModelError, match="nowhere"),
    ):
        engine.enlarge(planes)


def test_a_picture_within_the_memory_of_a_tile_is_computed_in_one_pass(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is measured in memory, so a case just inside and one just outside differ by one byte per pixel."""
    planner = Planner(open_model(model), 1)
    area = 600 * 500
    assert planner.plan(600, 500).passes == 1
    assert len(planner.plan(600, 500).tiles) == 1
    bytes_per_px = max(1.0, planner.measured(speed=False).bytes_per_px)
    monkeypatch.setattr("upconv.runtime.planner.TILE_BYTES", math.ceil(area * bytes_per_px))
    assert planner.plan(600, 500).passes == 1
    monkeypatch.setattr("upconv.runtime.planner.TILE_BYTES", int((area - 1) * bytes_per_px))
    assert planner.plan(600, 500).passes == 3
    assert len(planner.plan(600, 500).tiles) > 1


def test_a_given_side_is_kept(model: Path) -> None:
    with Engine(open_model(model), tile_px=384, workers=1) as engine:
        assert engine.plan(600, 500).passes == 3

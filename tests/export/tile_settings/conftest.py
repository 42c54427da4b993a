"""Files of any origin: graphs that are written by hand, without a contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

Saved = Callable[..., Path]

NEAREST = 'Resize<coordinate_transformation_mode: string = "asymmetric", nearest_mode: string = "floor">'
BODIES = {
    "enlarging": f"c = Conv<pads: ints = [1, 1, 1, 1]>(x, k3) r = Relu(c) y = {NEAREST}(r, , double)",
    "shuffling": "s = SpaceToDepth<blocksize: int = 2>(x) c = Conv<pads: ints = [1, 1, 1, 1]>(s, k12) y = DepthToSpace<blocksize: int = 2>(c)",
    "valid": f"c = Conv(x, k3) d = Conv(c, k3) y = {NEAREST}(d, , double)",
    "wide": "y = Conv<pads: ints = [0, 2, 0, 2]>(x, k1x5)",
    "everywhere": "m = ReduceMean(x, space) y = Add(x, m)",
    "computed": f"""
        s = Shape(x) d = Mul(s, twice) lead = Slice(s, none, two) tail = Slice(d, two, four) z = Concat<axis: int = 0>(lead, tail)
        c = Conv<pads: ints = [1, 1, 1, 1]>(x, k3) y = {NEAREST}(c, , , z)""",
    "padding": """
        s = Shape(x) minus = Neg(s) rest = Mod(minus, by4) tail = Slice(rest, two, four) p = Concat<axis: int = 0>(zeros6, tail)
        e = Pad<mode: string = "edge">(x, p) c = Conv<pads: ints = [1, 1, 1, 1]>(e, k3) z = Slice(s, two, four) y = Slice(c, zeros2, z, space)""",
    "flat": "y = Flatten(x)",
    "pointwise": "y = Relu(x)",
}


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Return a function that saves one of `BODIES`."""

    def save(name: str, inputs: str = "float[n,3,h,w] x") -> Path:
        text = f"""<ir_version: 8, opset_import: ["": 18]> g ({inputs}) => (float[] y)
        <float[4] double = {{1.0, 1.0, 2.0, 2.0}}, int64[2] space = {{2, 3}}, int64[4] twice = {{1, 1, 2, 2}}, int64[1] none = {{0}},
        int64[1] two = {{2}}, int64[1] four = {{4}}, int64[1] by4 = {{4}}, int64[6] zeros6 = {{0, 0, 0, 0, 0, 0}}, int64[2] zeros2 = {{0, 0}}> {{ {BODIES[name]} }}"""
        model = onnx.parser.parse_model(text)
        random = np.random.default_rng(0)
        shapes = {"k3": (3, 3, 3, 3), "k12": (12, 12, 3, 3), "k1x5": (3, 3, 1, 5)}
        kind = np.float16 if "float16" in inputs else np.float32
        for kernel, shape in shapes.items():
            model.graph.initializer.append(numpy_helper.from_array(random.random(shape).astype(kind), kernel))
        model.graph.output[0].type.tensor_type.ClearField("shape")
        if kind is np.float16:
            model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
        onnx.save(model, tmp_path / f"{name}.onnx")
        return tmp_path / f"{name}.onnx"

    return save

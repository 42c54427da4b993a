"""The modules of the page that compute on the device, compared with the runtime: in node, or in Chromium without it."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.system.page_modules import Evaluate

from upconv.runtime import Contract, Picture
from upconv.runtime.alpha import bleed_color
from upconv.runtime.contract import Context, Crop, Halo, NoHalo, Pixels, Provenance, SizeLaw, Statistic
from upconv.runtime.errors import UpconvError
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.passes import plan_passes
from upconv.runtime.resampling import resize
from upconv.runtime.tiled_picture import samples_to_tensor, tensor_to_samples
from upconv.runtime.tiling import TilingPlan, plan_tiles


def contract(**fields: Any) -> Contract:
    law = SizeLaw(scale=2)
    usual = {"height": law, "width": law, "halo": Halo(top=3, bottom=3, left=3, right=3), "input": Pixels(), "output": Pixels()}
    source = Provenance(source="built in a test")
    return Contract(**{"name": "test", "task": "upscale", "opset": 18, "provenance": source, **usual, **fields})


def a_contract(draw: random.Random) -> Contract:
    """Return a contract with random laws, halos, contexts and crops that balance."""
    scale, multiple = draw.choice((1, 2, 3, 4)), draw.choice((1, 1, 2, 4, 6))
    minimum, maximum = draw.choice((1, 1, 7, 16)), draw.choice((None, None, 96, 200))
    context = Context(**{side: draw.choice((0, 0, 5, 7)) for side in _SIDES}, fill=draw.choice(("edge", "reflect")))
    crop = Crop(**{side: draw.choice((0, 0, 2, 9)) for side in _SIDES})
    laws = [
        SizeLaw(scale=scale, offset=removed - scale * added, multiple=multiple, minimum=minimum, maximum=maximum)
        for removed, added in (
            (crop.top + crop.bottom, context.top + context.bottom),
            (crop.left + crop.right, context.left + context.right),
        )
    ]
    halo = Halo(**{side: draw.choice((0, 1, 4, 10)) for side in _SIDES})
    return contract(height=laws[0], width=laws[1], halo=halo, context=context, crop=crop)


_SIDES = ("top", "bottom", "left", "right")
PLAN = """
return given.map(([height, width, contract, tile]) => {
  const { rows, columns, scale, tiles } = module.planTiles(height, width, contract, tile);
  const described = (axis, span) => [span.start, span.stop, span.keepStart, span.keepStop, ...module.placeOf(axis, span), ...module.pixelsOf(axis, span)];
  return { scale, tiles: tiles.map((tile) => [described(rows, tile.rows), described(columns, tile.columns)]) };
});
"""


def described(plan: TilingPlan, tall: int, wide: int) -> list[list[list[int]]]:
    """Return all that determines the tiles of this shape: spans, places in the result, and pixels of the picture."""
    found = []
    for rows in plan.rows.spans(tall):
        for columns in plan.columns.spans(wide):
            both = []
            for axis, span in ((plan.rows, rows), (plan.columns, columns)):
                pixels = axis.window(span).arranged(np.concatenate([np.arange(*run) for run in axis.window(span).runs]), 0)
                both.append([span.start, span.stop, span.keep_start, span.keep_stop, *axis.place(span), *pixels.tolist()])
            found.append(both)
    return found


def test_tiles_are_those_of_the_runtime(evaluate: Evaluate) -> None:
    draw = random.Random(20)
    cases: list[tuple[tuple[int, int, Contract, int], TilingPlan]] = []
    while len(cases) < 300:
        height, width, tile = draw.randint(1, 150), draw.randint(1, 150), draw.choice((24, 32, 48, 64, 100))
        chosen = a_contract(draw)
        try:
            cases.append(((height, width, chosen, tile), plan_tiles(height, width, chosen, tile, exact=True)))
        except UpconvError:
            continue
    given = [[height, width, chosen.model_dump(), tile] for (height, width, chosen, tile), _ in cases]
    several = 0
    for (case, plan), found in zip(cases, evaluate("tiling.js", PLAN, given), strict=True):
        assert found["scale"] == plan.scale
        spans = [(rows[1] - rows[0], columns[1] - columns[0]) for rows, columns in found["tiles"]]
        assert len(set(spans)) == 1, "tiles are equal"
        (tall, wide), count = spans[0], len(spans)
        shape = plan.tiles[0].shape
        # Of shapes that cost the same, either may be chosen.
        assert (count * tall * wide, count, max(tall, wide)) == (plan.computed_px, len(plan.tiles), max(shape)), case
        assert found["tiles"] == described(plan, tall, wide), case
        several += count > 1
    assert several > 100


@pytest.mark.parametrize(
    "chosen",
    [
        contract(halo=NoHalo(node="mean", reason="it averages all")),
        contract(statistics=(Statistic(features="a", mean="b", channels=4, level=0),)),
    ],
    ids=["no halo", "statistics"],
)
def test_a_model_that_depends_on_the_whole_picture_gets_one_tile(evaluate: Evaluate, chosen: Contract) -> None:
    (found,) = evaluate("tiling.js", PLAN, [[90, 70, chosen.model_dump(), 32]])
    assert [[span[:2] for span in tile] for tile in found["tiles"]] == [[[0, 90], [0, 70]]]


REFUSAL = """
return given.map((given) => {
  try {
    module[given[0]](...given.slice(1));
    return null;
  } catch (error) {
    return error.message;
  }
});
"""


def test_pictures_that_a_model_cannot_take(evaluate: Evaluate) -> None:
    whole = NoHalo(node="mean", reason="it averages all")
    law = SizeLaw(scale=2, maximum=64)
    bounded = contract(height=law, width=law, halo=whole).model_dump()
    unbalanced = contract(height=SizeLaw(scale=2, offset=4), width=SizeLaw(scale=2)).model_dump()
    inside, outside, offset = evaluate(
        "tiling.js",
        REFUSAL,
        [
            ["planTiles", 64, 64, bounded, 32],
            ["planTiles", 64, 65, bounded, 32],
            ["planTiles", 64, 64, unbalanced, 32],
        ],
    )
    assert inside is None
    assert outside.startswith("The model takes at most 64 pixels per side, and this picture needs 65.")
    assert offset.startswith("The context and the crop of the model do not balance the offset")


def test_sizes_are_those_of_the_server(evaluate: Evaluate) -> None:
    script = "return given.map((given) => ({ ...module.planPasses(...given), px: module.computedPixels(...given) }));"
    cases = [(w, h, scale, own) for w, h in ((25, 7), (33, 100), (1, 1)) for scale in (1.5, 2, 3, 4, 8) for own in (1, 2, 3, 4)]
    for (width, height, scale, own), found in zip(cases, evaluate("passes.js", script, cases), strict=True):
        options = UpscaleOptions(scale=1 if own == 1 else scale)
        law = SizeLaw(scale=own)
        plan = contract(height=law, width=law)

        def planned(rows: int, columns: int, plan: Contract = plan) -> TilingPlan:
            return plan_tiles(rows, columns, plan, 64)

        expected = plan_passes(planned, own, width, height, options)
        assert (found["width"], found["height"]) == expected.output_size
        assert [(size["width"], size["height"]) for size in found["sizes"]] == [(p.width, p.height) for p in expected.plans]
        assert found["px"] == sum(p.width * p.height for p in expected.plans)


def test_the_largest_picture(evaluate: Evaluate) -> None:
    inside, outside = evaluate("passes.js", REFUSAL, [["planPasses", 5000, 5000, 2, 2], ["planPasses", 5000, 5001, 2, 2]])
    assert inside is None
    assert outside == (
        "This picture would become 10000 × 10002 pixels on its way, and the page computes at most 100 million on this device. "
        "Choose a smaller picture or scale."
    )


def test_tiles_are_halved_if_one_fails(evaluate: Evaluate) -> None:
    script = """
    const sides = [];
    const attempt = (fits) => async (side) => {
      sides.push(side);
      if (side > fits) throw new Error("no memory");
      return side;
    };
    const tried = async (fits) => module.withSmallerTiles(256, attempt(fits)).catch((error) => error.message);
    return (async () => [await tried(64), await tried(31), sides])();
    """
    assert evaluate("passes.js", script, None) == [
        64,
        "no memory",
        [256, 128, 64, 256, 128, 64, 32],
    ]


TENSOR = """
return given.map(({ data, width, rows, columns, pixels, layer }) => {
  const picture = { data: Uint8ClampedArray.from(data), width };
  const { data: values, dims } = module.toTensor(picture, rows, columns, pixels, layer);
  return { values: [...values], dims };
});
"""


@pytest.mark.parametrize("layer", ["color", "opacity"])
@pytest.mark.parametrize("pixels", [Pixels(), Pixels(low=-1, high=1), Pixels(color="y"), Pixels(color="gray", low=-0.5)])
def test_tensors_are_those_of_the_runtime(evaluate: Evaluate, pixels: Pixels, layer: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 6, 4), np.uint8)
    rows, columns = [0, 1, 2, 3, 3], [1, 0, 1, 2]
    given = {"data": picture.ravel().tolist(), "width": 6, "rows": rows, "columns": columns}
    (found,) = evaluate("pixels.js", TENSOR, [{**given, "pixels": pixels.model_dump(), "layer": layer}])
    samples = picture[np.ix_(rows, columns)]
    expected = samples_to_tensor(samples[..., :3] if layer == "color" else samples[..., 3:], pixels)
    assert found["dims"] == [1, *expected.shape]
    np.testing.assert_allclose(np.array(found["values"]).reshape(expected.shape), expected, atol=2e-7)


PASTE = """
const { planes, shape, part, pixels, layer, grey, base } = given;
const picture = { data: Uint8ClampedArray.from(base), width: 8, height: 8 };
module.paste(picture, planes, { channels: shape[0], stride: shape[2], size: shape[1] * shape[2] }, part, pixels, layer, grey);
return [...picture.data];
"""


@pytest.mark.parametrize(
    ("channels", "layer", "grey"), [(3, "color", False), (3, "color", True), (3, "opacity", False), (1, "opacity", False)]
)
@pytest.mark.parametrize("pixels", [Pixels(), Pixels(low=-1, high=1)])
def test_pixels_are_those_of_the_runtime(evaluate: Evaluate, pixels: Pixels, channels: int, layer: str, grey: bool) -> None:
    draw = np.random.default_rng(1)
    planes = draw.uniform(pixels.low - 0.1, pixels.high + 0.1, (channels, 6, 7)).astype(np.float32)
    base = draw.integers(0, 256, (8, 8, 4), np.uint8)
    part = {"row": 1, "column": 2, "height": 4, "width": 5, "top": 3, "left": 1}
    given = {"planes": planes.ravel().tolist(), "shape": planes.shape, "part": part, "base": base.ravel().tolist()}
    rest = {"pixels": pixels.model_dump(), "layer": layer, "grey": grey}
    found = np.array(evaluate("pixels.js", PASTE, {**given, **rest}), np.uint8).reshape(8, 8, 4)
    own = Pixels(color="rgb" if channels == 3 else "y", low=pixels.low, high=pixels.high)
    samples = tensor_to_samples(planes[:, 1:5, 2:7], own, np.uint8, grey=grey or layer == "opacity")
    expected = base.copy()
    if layer == "opacity":
        expected[3:7, 1:6, 3:] = samples
    else:
        expected[3:7, 1:6, :3] = samples
    assert np.abs(found.astype(int) - expected).max() <= (layer == "opacity" or grey), "float32 and float64 may round apart"
    assert (found != expected).mean() < 0.01


def test_luma_leaves_the_chroma(evaluate: Evaluate) -> None:
    base = np.full((8, 8, 4), (100, 50, 200, 255), np.uint8)
    luma = 0.299 * 100 + 0.587 * 50 + 0.114 * 200
    given = {
        "planes": [(luma + 20) / 255] * 64,
        "shape": [1, 8, 8],
        "part": {"row": 0, "column": 0, "height": 8, "width": 8, "top": 0, "left": 0},
        "base": base.ravel().tolist(),
        "pixels": {},
        "layer": "color",
        "grey": False,
    }
    found = np.array(evaluate("pixels.js", PASTE, given)).reshape(8, 8, 4)
    assert (found == (120, 70, 220, 255)).all()


BLEED = """
const picture = { data: Uint8ClampedArray.from(given.data), width: given.width, height: given.height };
module.bleed(picture);
return [...picture.data];
"""


@pytest.mark.parametrize("seed", range(3))
def test_transparent_pixels_are_filled_as_by_the_runtime(evaluate: Evaluate, seed: int) -> None:
    draw = np.random.default_rng(seed)
    height, width = 21, 34
    samples = draw.integers(0, 256, (height, width, 4), np.uint8)
    samples[..., 3] = np.where(draw.random((height, width)) < 0.5, 0, samples[..., 3])
    samples[4:18, 8:, 3] = 0
    given = {"data": samples.ravel().tolist(), "width": width, "height": height}
    found = np.array(evaluate("pixels.js", BLEED, given), np.uint8).reshape(samples.shape)
    assert (found[..., 3] == samples[..., 3]).all()
    expected = bleed_color(Picture(samples))
    difference = np.abs(found[..., :3].astype(int) - expected)
    assert difference.max() <= 2, "libvips interpolates with weights of fewer bits"
    assert (difference > 1).mean() < 0.01
    visible = samples[..., 3] > 0
    assert (found[visible] == samples[visible]).all()


def test_nothing_to_fill(evaluate: Evaluate) -> None:
    for alpha in (0, 9):
        given = {"data": [1, 2, 3, alpha] * 6, "width": 3, "height": 2}
        assert evaluate("pixels.js", BLEED, given) == given["data"]


@pytest.mark.parametrize(("width", "height"), [(24, 15), (40, 25), (13, 40)])
def test_resampling_is_that_of_the_runtime(evaluate: Evaluate, width: int, height: int, photograph: Any) -> None:
    samples = np.dstack([photograph(30, 36), photograph(30, 36)[..., 0]])
    script = """
    const { data, width, height } = module.resample({ ...given.picture, data: Uint8ClampedArray.from(given.picture.data) }, ...given.size);
    return { data: [...data], width, height };
    """
    given = {"picture": {"data": samples.ravel().tolist(), "width": 36, "height": 30}, "size": [width, height]}
    found = evaluate("resample.js", script, given)
    assert (found["width"], found["height"]) == (width, height)
    difference = np.abs(np.array(found["data"]).reshape(height, width, 4).astype(int) - resize(samples, width, height))
    assert difference.mean() < 1, "libvips rounds between the axes"
    assert np.percentile(difference, 99) <= 4


@pytest.mark.parametrize(("width", "height"), [(1, 1), (50, 130), (131, 7)])
@pytest.mark.parametrize("opaque", [True, False])
def test_png(evaluate: Evaluate, width: int, height: int, opaque: bool) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    if opaque:
        samples[..., 3] = 255
    else:
        samples[0, 0, 3] = 254
    script = """
    const blob = module.encodePng({ ...given, data: Uint8ClampedArray.from(given.data) });
    return blob.then((blob) => blob.arrayBuffer()).then((buffer) => [...new Uint8Array(buffer)]);
    """
    data = bytes(evaluate("png.js", script, {"data": samples.ravel().tolist(), "width": width, "height": height}))
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode, image.info["srgb"]) == ("PNG", "RGB" if opaque else "RGBA", 0)
        assert (np.asarray(image) == samples[..., : 3 if opaque else 4]).all()


READ = """
const bytes = Uint8Array.from(given.bytes);
try {
  return module.readContract(bytes, given.name);
} catch (error) {
  return error.message;
}
"""


def test_contract_of_a_file(evaluate: Evaluate, nearest_x2: Path, without_contract: Path) -> None:
    def read(content: bytes) -> Any:
        return evaluate("contract.js", READ, {"bytes": list(content), "name": "mine.onnx"})

    content = nearest_x2.read_bytes()
    assert Contract.model_validate(read(content)).name == "nearest-x2-test"
    assert read(without_contract.read_bytes()) == (
        "The model mine.onnx carries no contract, so the page does not know how to cut a picture for it. "
        "Run upconv export mine.onnx -o NEW.onnx, which adds one."
    )
    assert read(content.replace(b'"version":1', b'"version":2')).startswith(
        "The contract of mine.onnx is of version 2, and this page reads version 1."
    )
    assert read(content.replace(b'"version":1', b'"version"-1')).startswith("The contract of mine.onnx cannot be read.")
    for damaged in (b"\x89PNG\r\n\x1a\n" * 9, content[:-3], b"\xff" * 40):
        assert read(damaged).startswith("The file mine.onnx is no .onnx file, or it is damaged."), damaged[:9]


def test_models_that_the_page_does_not_compute(evaluate: Evaluate) -> None:
    cases = [
        (("why.precision", {"precision": "int8"}), contract(precision="int8")),
        (("why.precision", {"precision": "fp16"}), contract(precision="fp16")),
        (("why.task", {}), contract(task="decode", input=None, output=None)),
        (("why.scale", {}), contract(height=SizeLaw(scale=1.5), width=SizeLaw(scale=1.5))),
    ]
    given = [contract().model_dump(), *(case.model_dump() for _, case in cases)]
    said = [None, *({"key": key, "values": values} for (key, values), _ in cases)]
    assert evaluate("contract.js", "return given.map(module.whyNot);", given) == said


def test_older_contracts_lack_fields(evaluate: Evaluate) -> None:
    old = {"version": 1, "task": "upscale", "height": {"scale": 2}, "width": {"scale": 2}, "input": {}, "output": {}}
    old["halo"] = {"top": 2, "bottom": 2, "left": 2, "right": 2}
    assert evaluate("contract.js", "return module.whyNot(given);", old) is None
    (found,) = evaluate("tiling.js", PLAN, [[20, 70, old, 32]])
    assert len(found["tiles"]) > 1

"""The description of a model as bioimage.io defines it, with its halo: `rdf.yaml` of the format 0.5.

The halo of bioimage.io is in output pixels, and one number for both sides of an axis. It is cropped from the output of a tile.
Pixels that the model itself leaves out are the `offset` of a size. The description needs the inputs and outputs of one run, so two
`.npy` files are written beside it. See https://github.com/bioimage-io/spec-bioimage-io.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.graphs import opset_of
from upconv.export.tile_settings.file_halo import FileHalo, consumed_px, pixels_type
from upconv.runtime.codecs import write_atomically
from upconv.runtime.contract import MAX_LENGTH, Halo, SizeLaw
from upconv.runtime.errors import ParameterError
from upconv.runtime.rounding import round_up

FORMAT = "0.5.14"
"""The version of the description."""
LICENCES = frozenset(
    [
        "AGPL-3.0-only",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC-BY-4.0",
        "CC-BY-NC-4.0",
        "CC-BY-NC-SA-4.0",
        "CC-BY-SA-4.0",
        "CC0-1.0",
        "GPL-3.0-only",
        "LGPL-3.0-only",
        "MIT",
        "MPL-2.0",
        "Unlicense",
        "WTFPL",
    ]
)
"""The SPDX names that are written. The description takes no other text."""
SHORTEST_NAME, LONGEST_NAME = 5, 128
"""The lengths of a name."""
TEST_PX = 64
"""The sides of the test input beyond twice the halo, in pixels."""


def write_bioimageio(
    output: Path, path: Path, model: onnx.ModelProto, found: FileHalo, licence: str | None = None
) -> list[Path]:
    """Write the description of the model in `path`, and the tensors that it names; return the files, the description last.

    The text is JSON, which every YAML reader reads. Raises `ParameterError` if the model has no finite halo, and
    `OutputError` if a file cannot be written.
    """
    if not isinstance(found.halo, Halo):
        raise ParameterError(f"{path} has no finite halo, because of {found.halo.node}: {found.halo.reason}")
    made = OnnxruntimeBackend(model).run([picture := _picture(model, found)])[0]
    tensors = {output.with_name(f"{output.stem}.{name}.npy"): _npy(x) for name, x in (("input", picture), ("output", made))}
    source, *digests = path, *(hashlib.sha256(data).hexdigest() for data in tensors.values())
    files = [{"source": file.name, "sha256": digest} for file, digest in zip(tensors, digests, strict=True)]
    description = _description(output, source, model, found, files, made.shape[1], licence)
    for file, data in tensors.items():
        write_atomically(file, data)
    write_atomically(output, (json.dumps(description, indent=2) + "\n").encode())
    return [*tensors, output]


def _description(
    output: Path,
    path: Path,
    model: onnx.ModelProto,
    found: FileHalo,
    tensors: list[dict[str, str]],
    made_channels: int,
    licence: str | None,
) -> dict[str, Any]:
    assert isinstance(found.halo, Halo)
    names = ("y", "x")
    sides = (max(found.halo.top, found.halo.bottom), max(found.halo.left, found.halo.right))
    kind = pixels_type(model).name
    cropped = [_cropped_px(law, side) for law, side in zip(found.laws, sides, strict=True)]
    read = [_input_axis(name, law, halo) for name, law, halo in zip(names, found.laws, cropped, strict=True)]
    made = [_output_axis(name, law, halo) for name, law, halo in zip(names, found.laws, cropped, strict=True)]
    weights = {
        "source": os.path.relpath(path, output.parent),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "opset_version": opset_of(model),
    }
    fields: dict[str, Any] = {
        "format_version": FORMAT,
        "type": "model",
        "name": _name(path),
        "description": f"{path.name}, which makes {made_channels} channels from {found.channels}",
        **({"license": licence} if licence in LICENCES else {}),
        "inputs": [
            {
                "id": "input",
                "axes": [{"type": "batch"}, _channels(found.channels), *read],
                "test_tensor": tensors[0],
                "data": {"type": kind},
            }
        ],
        "outputs": [
            {
                "id": "output",
                "axes": [{"type": "batch"}, _channels(made_channels), *made],
                "test_tensor": tensors[1],
                "data": {"type": kind},
            }
        ],
        "weights": {"onnx": weights},
    }
    return fields


def _name(path: Path) -> str:
    """Return the name of the file with the characters, and of the length, that the description allows."""
    name = re.sub("[^A-Za-z0-9_+() -]", "-", path.stem)[:LONGEST_NAME]
    return name if len(name) >= SHORTEST_NAME else f"{name} model"


def _channels(count: int) -> dict[str, Any]:
    return {"type": "channel", "channel_names": [f"channel{n}" for n in range(count)]}


def _input_axis(name: str, law: SizeLaw, halo: int) -> dict[str, Any]:
    """Return an axis whose shortest length leaves something of the output after the halo is cropped."""
    shortest = law.fitted(1)
    while (law.output(shortest) or 0) <= 2 * halo:
        shortest += law.multiple
        if law.maximum is not None and shortest > law.maximum:
            raise ParameterError(
                f"the model takes at most {law.maximum} pixels along {name}, and its halo of {halo} output pixels leaves nothing of "
                "them; export it with free sizes"
            )
    size: Any = law.maximum if law.maximum == shortest else {"min": shortest, "step": law.multiple}
    return {"type": "space", "id": name, "size": size}


def _output_axis(name: str, law: SizeLaw, halo: int) -> dict[str, Any]:
    """Return an axis whose pixels are `1 / scale` of those of the input."""
    size = {"tensor_id": "input", "axis_id": name, "offset": law.offset}
    axis = {"type": "space", "id": name, "scale": 1 / law.scale, "size": size}
    return axis | ({"halo": halo} if halo else {})


def _cropped_px(law: SizeLaw, side: int) -> int:
    """Return the output pixels on each side that depend on pixels beyond the tile, and that the model does not leave out."""
    around = round_up(side, law.multiple) if side else 0
    return max(0, ceil(Fraction(law.scale).limit_denominator(MAX_LENGTH) * (around - consumed_px(law))))


def _picture(model: onnx.ModelProto, found: FileHalo) -> NDArray[Any]:
    assert isinstance(found.halo, Halo)
    sides = (found.halo.top + found.halo.bottom, found.halo.left + found.halo.right)
    lengths = [law.clamped(2 * side + TEST_PX) for law, side in zip(found.laws, sides, strict=True)]
    random = np.random.default_rng(0).random((1, found.channels, *lengths), np.float32)
    return random.astype(pixels_type(model))


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()

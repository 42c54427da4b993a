"""An exported file with what the configuration of a server states about it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import onnx
from onnx import TensorProto

from upconv.runtime.calibration import TILE_PX
from upconv.runtime.contract import Contract, Halo
from upconv.runtime.errors import ExportError
from upconv.runtime.planner import OVERLAPS, plan_equal_tiles
from upconv.runtime.tiling import MAX_STEPS

MAX_BATCH = 8
"""The most tiles of a batch."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class TensorSpec:
    """An input or an output of a graph."""

    name: str
    kind: str
    """The element type, as ONNX names it, such as `FLOAT`."""
    shape: tuple[int | None, ...]
    """The lengths of the axes; `None` for one that is free."""

    @classmethod
    def of(cls, value: onnx.ValueInfoProto) -> Self:
        """Return the name, type and shape of a value of a graph."""
        tensor = value.type.tensor_type
        shape = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
        return cls(value.name, TensorProto.DataType.Name(tensor.elem_type), shape)


@dataclass(frozen=True)
class ServedFile:
    """An exported file, and its name on a server."""

    name: str
    content: bytes
    contract: Contract
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> Self:
        """Return an exported file; by default, its name on the server is that of the file.

        Raises `ContractError` if it has no contract, and `ExportError` if servers cannot use the name or the file.
        """
        name = path.stem if name is None else name
        if not _NAME.fullmatch(name):
            raise ExportError(f"{name!r} cannot be a model's name on a server; use letters, digits, dots, - and _")
        try:
            content = path.read_bytes()
            model = onnx.load_model_from_string(content)
        except OSError as error:
            raise ExportError(f"{path} cannot be read: {error.strerror}") from error
        except Exception as error:  # protobuf's error of a damaged file
            raise ExportError(f"{path} is not an ONNX file; give one that upconv export wrote") from error
        if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
            raise ExportError(f"{path} keeps its weights in a second file; repositories are written for models up to 2 GiB")
        contract = Contract.from_metadata({prop.key: prop.value for prop in model.metadata_props}, path)
        stored = {tensor.name for tensor in model.graph.initializer}
        inputs = tuple(TensorSpec.of(value) for value in model.graph.input if value.name not in stored)
        return cls(name, content, contract, inputs, tuple(map(TensorSpec.of, model.graph.output)))

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def batched(self) -> bool:
        """True if all inputs and outputs have a free first axis."""
        return all(value.shape[:1] == (None,) for value in (*self.inputs, *self.outputs))

    @property
    def most_batch(self) -> int:
        """The most tiles of a batch; 0 if the graph computes one at a time."""
        return min(MAX_BATCH, self.contract.max_batch or MAX_BATCH) if self.batched else 0

    @property
    def upscales(self) -> bool:
        """True if the model takes pictures and returns larger ones."""
        return self.contract.task == "upscale"

    @property
    def tile_px(self) -> int:
        """The side of equal tiles: `TILE_PX`, or more if the halo is wide."""
        halo = self.contract.halo
        if not isinstance(halo, Halo):
            return TILE_PX
        overlap = max(halo.top + halo.bottom, halo.left + halo.right)
        allowed = [2 * smaller.halo_px for smaller in self.contract.halo_deviation if smaller.steps <= MAX_STEPS]
        return max(TILE_PX, OVERLAPS * min([overlap, *allowed]))

    @property
    def tile_shape(self) -> tuple[int, int] | None:
        """The height and width of the tiles of large pictures; those of a small picture if a model needs it whole.

        `None` if the contract has no size law.
        """
        if self.contract.height is None or self.contract.width is None:
            return None
        side = self.tile_px
        if not self.upscales or not isinstance(self.contract.halo, Halo) or self.contract.statistics:
            height, width = self.contract.height.clamped(side), self.contract.width.clamped(side)
            return height, width
        return plan_equal_tiles(4 * side, 4 * side, self.contract, side).tiles[0].shape

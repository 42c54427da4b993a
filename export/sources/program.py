"""A program that `torch.export` saved (.pt2) as a source, for the sizes that it was traced for."""

from __future__ import annotations

import copy
import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import onnx
import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves, tree_map

from upconv.export.backends import Array, Precision
from upconv.export.backends.random_rounding import RandomlyRoundedOperators
from upconv.export.capture.tracing import capture_program
from upconv.export.sizes import InputAxis
from upconv.export.sources.module import refuse_non_finite
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.source import Source
from upconv.runtime.errors import SourceError, first_line


class ProgramBackend:
    """A traced program in one precision. For float64, every float32 in the program is replaced by float64."""

    level = "-"

    def __init__(self, program: ExportedProgram, dtype: torch.dtype, seed: int | None = None) -> None:
        """Open the program; in float64 with a `seed`, every operator rounds to float32 at random."""
        self.name = f"torch {str(dtype).removeprefix('torch.')}"
        self.version = torch.__version__
        self._dtype, self._seed = dtype, seed
        self._module = _in_precision(program, dtype)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return every output tensor; raises the error of the program's guards for a size that was not traced."""
        tensors = [torch.from_numpy(array) for array in inputs]
        with torch.no_grad(), nullcontext() if self._seed is None else RandomlyRoundedOperators(self._seed):
            result = self._module(*(t.to(self._dtype) if t.is_floating_point() else t for t in tensors))
        return [leaf.numpy() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]


@dataclass(frozen=True)
class TracedProgram:
    """A source model that is a program saved by `torch.export`."""

    program: ExportedProgram
    """The program."""

    def backend(self, precision: Precision) -> ProgramBackend:
        """Return the program in this precision."""
        return ProgramBackend(self.program, getattr(torch, precision))

    def rounded(self, seed: int) -> ProgramBackend:
        """Return a backend in float64 whose operators round to float32 at random."""
        return ProgramBackend(self.program, torch.float64, seed)

    def sizes(self) -> ProgramBackend:
        """Return the program in float32; its guards refuse the sizes that were not traced."""
        return self.backend("float32")

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """Return the graph of the program from torch's exporter, with the program's own dynamic axes."""
        return capture_program(self.program, name, opset)

    def weights_sha256(self) -> str | None:
        """Return the SHA-256 of all parameters and buffers, in order of name, or `None` without any."""
        state = self.program.state_dict
        digest = hashlib.sha256()
        for name in sorted(state):
            digest.update(name.encode())
            digest.update(state[name].detach().contiguous().numpy().tobytes())
        return digest.hexdigest() if state else None


def from_program(path: Path, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return the source of the program in a .pt2 file.

    `example` replaces the inputs that the program was traced with. Raises `SourceError` if the file is damaged or holds
    code, or if the program takes anything but positional tensors.
    """
    return program_source(path, SourceOptions.of(example, **options))


def program_source(path: Path, options: SourceOptions) -> Source:
    """Return the source of `from_program`, for options in one value."""
    known = options.for_a_file(path).positional(str(path))
    program = _loaded(path)
    arguments, keywords = program.example_inputs or ((), {})
    if keywords or not all(isinstance(argument, Tensor) for argument in arguments):
        raise SourceError(f"the program in {path} takes arguments by name or nested; expected positional tensors")
    inputs = known.inputs or tuple(argument.detach().numpy() for argument in arguments)
    if not inputs:
        raise SourceError(f"{path} holds no example of its inputs; give one --shape for each input")
    refuse_non_finite(known.name or path.stem, program.state_dict)
    return known.source(TracedProgram(program), inputs)


def _loaded(path: Path) -> ExportedProgram:
    if not path.is_file():
        raise SourceError(f"no program at {path}")
    try:
        with _weights_only(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(path)
    except Exception as error:  # zips, JSON, pickles and versions each raise their own errors
        raise SourceError(
            f"{path} cannot be loaded as a program: {first_line(error)}; expected a file that torch.export.save wrote"
        ) from error


@contextmanager
def _weights_only() -> Iterator[None]:
    """Forbid torch.export.load to load a pickle with code, which it otherwise tries after a failure."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _in_precision(program: ExportedProgram, dtype: torch.dtype) -> fx.GraphModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about its own tree specifications
        module: Any = copy.deepcopy(program.module())
    if dtype == torch.float32:
        return module  # type: ignore[no-any-return]
    module.to(dtype)
    for part in module.modules():
        for name, value in list(vars(part).items()):
            if isinstance(value, Tensor) and value.dtype == torch.float32:
                setattr(part, name, value.to(dtype))
    for node in list(module.graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            module.graph.erase_node(node)
            continue
        node.args, node.kwargs = tree_map(lambda x: dtype if x is torch.float32 else x, (node.args, node.kwargs))
    module.recompile()
    return module  # type: ignore[no-any-return]

"""A torch module as a backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from upconv.export.backends.backend import Array
from upconv.export.backends.double_mode import DoubleOperators, in_double
from upconv.export.backends.private_copy import private_copy
from upconv.export.backends.random_rounding import RandomlyRoundedOperators
from upconv.export.backends.tensor_outputs import tensors_of
from upconv.runtime.errors import SourceError, first_line

LARGE = 1 << 28
"""The bytes of weights above which float64 takes no copy of them: each operator widens its own."""


class TorchBackend:
    """A copy of a torch module in one dtype. In float64 it is the reference for all other backends.

    In float64, every operator computes in float64, also where the module's code names another type.
    """

    level = "-"

    def __init__(self, module: nn.Module, dtype: torch.dtype, seed: int | None = None) -> None:
        """Open the module; in float64 with a `seed`, every operator rounds to float32 at random."""
        self.name = f"torch {str(dtype).removeprefix('torch.')}"
        self.version = torch.__version__
        self._dtype, self._seed = dtype, seed
        wide = dtype == torch.float64 and _bytes(module) > LARGE
        self._module = private_copy(module, torch.float32 if wide else dtype, lazy=True)
        self._narrow: nn.Module | None = module if wide else None

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return every tensor of the output, flattened, in the dtype of the backend.

        `inputs` keep their values if the module writes into them. Raises `SourceError` if the output holds no tensor.
        What the module raises is raised unchanged in float32, and as `RuntimeError` in float64.
        """
        with torch.no_grad():
            result = self._result(inputs)
        outputs = tensors_of(result)
        if not outputs:
            raise SourceError(f"expected tensors from the module, got {type(result).__name__}")
        return [_array(output) for output in outputs]

    def _result(self, inputs: Sequence[Array]) -> Any:
        if self._dtype != torch.float64:
            return self._module(*self._tensors(inputs))
        if self._narrow is not None:
            try:
                with in_double(operators=self._operators()):
                    return self._module(*self._tensors(inputs))
            except Exception:  # an operator that compares the types of its inputs and weights
                self._module, self._narrow = private_copy(self._narrow, torch.float64), None
        try:
            with in_double(operators=self._operators()):
                return self._module(*self._tensors(inputs))
        except Exception as error:
            problem = error
        try:  # code that expects float64 after x.double()
            with in_double(types_of_float32=False, operators=self._operators()):
                return self._module(*self._tensors(inputs))
        except Exception:  # the first error is the clearer one
            raise RuntimeError(f"{type(problem).__name__}: {first_line(problem)}") from problem

    def _operators(self) -> DoubleOperators | None:
        return None if self._seed is None else RandomlyRoundedOperators(self._seed)

    def _tensors(self, inputs: Sequence[Array]) -> list[Tensor]:
        tensors = (torch.from_numpy(array) for array in inputs)
        return [t.to(self._dtype if t.is_floating_point() else t.dtype, copy=True) for t in tensors]


def _bytes(module: nn.Module) -> int:
    return sum(weight.numel() * weight.element_size() for weight in module.parameters())


def _array(output: Tensor) -> Array:
    array: Array = (output.float() if output.dtype == torch.bfloat16 else output).detach().numpy()
    return array

"""Random rounding to float32 of the values of a computation in float64, known as Monte Carlo arithmetic.

Each result that float32 cannot hold is rounded up or down at random. An operator that sums products reads inputs that are off
by up to half a unit in the last place, which stands for the roundings inside the sum. The outputs of several such runs scatter
as those of a float32 computation do, in any order of summation. Values that float32 holds exactly, such as indices, stay as
they are. The method is that of Parker (1997), which Verificarlo implements as its modes `rr` and `mca`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from upconv.export.backends.double_mode import DoubleOperators
from upconv.export.backends.rounded_arrays import DIGITS, LARGEST

SUMS = frozenset(
    {"convolution", "convolution_overrideable", "mm", "addmm", "bmm", "baddbmm", "addbmm", "mv", "addmv", "dot"}
    | {"sum", "mean", "var", "std", "var_mean", "std_mean", "norm", "linalg_vector_norm", "cumsum", "prod", "logsumexp"}
    | {"native_layer_norm", "native_group_norm", "native_batch_norm", "_native_batch_norm_legit_no_training"}
    | {"_softmax", "_log_softmax", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d"}
    | {"upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d"}
    | {"_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "grid_sampler_2d", "grid_sampler_3d"}
    | {"_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math", "_fft_r2c", "_fft_c2r", "_fft_c2c"}
)
"""The operators of torch that sum several terms, each with roundings of its own."""


class RandomlyRoundedOperators(DoubleOperators):  # type: ignore[no-untyped-call]
    """A mode in which every operator computes in float64, and rounds its results to float32 at random."""

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._random = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if func._schema.is_mutable:
            for tensor in (leaf for leaf in tree_flatten(result)[0] if _inexact(leaf)):
                tensor.copy_(self._rounded(tensor))
            return result
        if any(value.alias_info is not None for value in func._schema.returns):
            return result  # a view of its input
        if func.overloadpacket.__name__ in SUMS and any(_inexact(leaf) for leaf in tree_flatten(result)[0]):
            args, kwargs = tree_map(self._scattered, (args, kwargs or {}))
            result = super().__torch_dispatch__(func, types, args, kwargs)
        return tree_map(self._rounded, result)

    def _scattered(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or value.dtype not in (torch.float32, torch.float64):
            return value
        value = value.double()
        return value * (1 + self._uniform(value) * 2.0 ** (1 - DIGITS))

    def _rounded(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or value.dtype != torch.float64 or not value.numel():
            return value
        moved = (value + torch.ldexp(self._uniform(value), torch.frexp(value).exponent - DIGITS)).float().double()
        exact = (value.float().double() == value) | (value.abs() > LARGEST)
        return torch.where(exact, value, moved)

    def _uniform(self, value: Tensor) -> Tensor:
        return torch.rand(value.shape, generator=self._random, dtype=torch.float64, device="cpu") - 0.5


def _inexact(value: Any) -> bool:
    if not isinstance(value, Tensor) or value.dtype != torch.float64:
        return False
    return not torch.equal(value.float().double(), value)

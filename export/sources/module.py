"""A torch module in memory as a source."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import onnx
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from upconv.export.backends import Array, Precision
from upconv.export.backends.private_copy import private_copy
from upconv.export.backends.torch_module import TorchBackend
from upconv.export.capture.tracing import capture
from upconv.export.lint import Finding
from upconv.export.sizes import InputAxis
from upconv.export.sources.call_layout import CallLayout, FlatCall, InputSlot
from upconv.export.sources.example_search import found_example
from upconv.export.sources.flat_outputs import with_flat_outputs
from upconv.export.sources.initialization import random_weights
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.random_draws import refuse_random_draws
from upconv.export.sources.shapes import ShapeBackend
from upconv.export.sources.source import Source
from upconv.export.sources.traceable import make_traceable
from upconv.runtime.errors import SourceError

WIDENED = "weights-in-float32"
"""The rule of the finding that the weights had another type than float32."""


@dataclass(frozen=True)
class TorchModule:
    """A source model that is a torch module in evaluation mode."""

    module: nn.Module
    """The module, which takes its tensors by position."""

    def backend(self, precision: Precision) -> TorchBackend:
        """Return the module in this precision."""
        return TorchBackend(self.module, getattr(torch, precision))

    def rounded(self, seed: int) -> TorchBackend:
        """Return a backend in float64 whose operators round to float32 at random."""
        return TorchBackend(self.module, torch.float64, seed)

    def sizes(self) -> ShapeBackend:
        """Return a backend that computes the shapes of the outputs only."""
        return ShapeBackend(self.module)

    def capture(self, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int) -> onnx.ModelProto:
        """Return the graph of the module from torch's exporter.

        Raises `ExportError` if torch cannot trace the module, or if it draws random numbers.
        """
        module = private_copy(self.module, torch.float32, lazy=True)
        make_traceable(module)
        result = refuse_random_draws(module, name, example)
        return capture(with_flat_outputs(module, result), name, example, axes, opset)

    def weights_sha256(self) -> str | None:
        """Return the SHA-256 of all parameters and buffers, in order of name, or `None` without any."""
        state = self.module.state_dict()
        if not state:
            return None
        digest = hashlib.sha256()
        for name in sorted(state):
            digest.update(name.encode())
            value = state[name].detach().cpu().clone()  # numpy ends the lazy copies of the weight that it reads
            digest.update(value.contiguous().numpy().tobytes())
        return digest.hexdigest()


def from_module(module: nn.Module, example: Example | None = None, **options: Unpack[SourceKeywords]) -> Source:
    """Return a source from a module in memory, which stays as it is.

    `example` holds one value for each argument of `forward`, or the arguments by name. Numbers and texts in it are
    constants of the exported function. For one float32 image or latent, `shape` is enough. Without both, an example that
    `forward` accepts is searched: the channels of the first layer that the input reaches, and sides of 32 pixels, or others
    if these are refused. A module in another floating-point type becomes float32. Raises `SourceError` if a weight is
    missing, quantized or not finite, if `forward` takes other arguments, or if no example is found.
    """
    return module_source(module, SourceOptions.of(example, **options))


def module_source(module: nn.Module, options: SourceOptions) -> Source:
    """Return the source of `from_module`, for options in one value."""
    module = _unwrapped(module)
    name = type(module).__name__
    known = options.without_factory(name).completed(name=name, origin="a torch module")
    title = known.name or name
    _refuse_unusable(module, title)
    findings = [*_widened(module, title), *random_weights(module, title)]
    own = private_copy(module, torch.float32)
    refuse_non_finite(title, own.state_dict())
    count = len(known.inputs or (None,))
    layout = (known.layout or CallLayout(tuple(InputSlot(number) for number in range(count)))).bound(own)
    example = known.inputs or (found_example(own, title, known.fixed),)
    called = own if layout.plain and not layout.variable(own) else FlatCall(own, layout)
    return known.source(TorchModule(called), example, findings)


def _unwrapped(module: nn.Module) -> nn.Module:
    """Return the module inside `torch.compile` and `DataParallel`."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if inner is None and isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def _refuse_unusable(module: nn.Module, name: str) -> None:
    for place, part in module.named_modules():
        if type(part).__module__.startswith(("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torchao.")):
            raise SourceError(
                f"{name} holds quantized layers ({type(part).__name__} at {place or 'the top'}), which torch cannot write as ONNX; "
                "export the float32 module with --precision int8"
            )
    for place, weight in module.named_parameters():
        if is_lazy(weight) or weight.is_meta:
            why = "is a lazy layer that was never run" if is_lazy(weight) else "is on the meta device, without values"
            raise SourceError(f"the weight {place} of {name} {why}; load its weights, or run it once, before the export")


def _widened(module: nn.Module, name: str) -> list[Finding]:
    kinds = Counter(weight.dtype for weight in module.parameters() if weight.is_floating_point())
    others = [str(kind).removeprefix("torch.") for kind in kinds if kind != torch.float32]
    if not others:
        return []
    message = (
        f"the weights of {name} were {' and '.join(others)}, and the exported function is in float32; --precision reduces it"
    )
    return [Finding(WIDENED, next(place for place, w in module.named_parameters() if w.dtype != torch.float32), message)]


def refuse_non_finite(name: str, state: Mapping[str, Tensor]) -> None:
    """Raise `SourceError` with the name of the first tensor that holds a value that is not finite."""
    for key, tensor in state.items():
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise SourceError(
                f"the weights of {name} hold values that are not finite numbers (first in {key}); train or save it again"
            )

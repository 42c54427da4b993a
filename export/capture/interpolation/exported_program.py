"""Changes to torch's graph before its translation.

If an output size is a fixed multiple of the input size, it becomes a scale factor, so that the graph shows the scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import sympy
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import Node
from torch.utils._sympy.functions import ToFloat, TruncToInt

aten = torch.ops.aten

_BY_SIZE = {
    aten.upsample_linear1d: 1,
    aten.upsample_bilinear2d: 2,
    aten.upsample_trilinear3d: 3,
    aten.upsample_bicubic2d: 2,
    aten._upsample_bilinear2d_aa: 2,
    aten._upsample_bicubic2d_aa: 2,
    aten.upsample_nearest1d: 1,
    aten.upsample_nearest2d: 2,
    aten.upsample_nearest3d: 3,
    aten._upsample_nearest_exact1d: 1,
    aten._upsample_nearest_exact2d: 2,
    aten._upsample_nearest_exact3d: 3,
}
"""Number of axes that each operator resizes."""

_POOLS = {
    aten.adaptive_avg_pool1d.default: aten.upsample_nearest1d.vec,
    aten.adaptive_avg_pool2d.default: aten.upsample_nearest2d.vec,
    aten.adaptive_avg_pool3d.default: aten.upsample_nearest3d.vec,
}
"""Pools, and the operators that compute the same if the output is a multiple of the input: no pixels are averaged then."""


@contextmanager
def lines_pooled_as_pictures() -> Iterator[None]:
    """Replace 1-d adaptive pooling by the 2-d form on pictures one pixel high, inside the context.

    `area` interpolation in 1-d calls `adaptive_avg_pool1d`, which has no symbolic sizes: after tracing, its output always
    has the length of the example. The 2-d form keeps its size symbolic.
    """

    def pooled(line: Tensor, output_size: Any) -> Tensor:
        length = output_size[0] if isinstance(output_size, (list, tuple)) else output_size
        return F.adaptive_avg_pool2d(line.unsqueeze(-2), (1, length)).squeeze(-2)

    with patch.object(F, "adaptive_avg_pool1d", pooled):
        yield


def with_scales(program: torch.export.ExportedProgram) -> None:
    """Rewrite, in place, every interpolation to the form that takes all scale factors at once.

    If the output length is a whole multiple of the input length for all sizes, this multiple becomes the scale. A graph
    with constant scales can be tiled, and runtimes have fast paths for it.
    """
    for node in program.graph.nodes:
        if node.op != "call_function":
            continue
        if node.target in _POOLS:
            _pool_to_nearest(node)
            continue
        packet = getattr(node.target, "overloadpacket", None)
        if packet in _BY_SIZE and not node.kwargs:
            _unify(node, packet)
    program.graph_module.recompile()


def _pool_to_nearest(node: Node) -> None:
    assert isinstance(node.target, OpOverload)
    target = _POOLS[node.target]
    scales = _multiples(node) if node.meta["val"].ndim == _BY_SIZE[target.overloadpacket] + 2 else None
    if scales is not None:
        node.target, node.args = target, (node.args[0], None, scales)


def _unify(node: Node, packet: Any) -> None:
    arguments: list[Any] = list(node.args)
    if node.target == packet.default:
        # The arguments are (image, sizes, align_corners?, *scales), without omitted ones.
        kept = len(packet.default._schema.arguments) - _BY_SIZE[packet]
        given = arguments[kept:]
        scales = given if len(given) == _BY_SIZE[packet] and all(given) else None
        arguments = [*arguments[:kept], scales]
        if scales is not None:
            arguments[1] = None
    if arguments[1] is not None:
        scales = _multiples(node)
        if scales is not None:
            arguments[1], arguments[-1] = None, scales
    node.target, node.args = packet.vec, tuple(arguments)


def _multiples(node: Node) -> list[float] | None:
    """Return output length / input length of each axis if all are whole numbers for every size, else `None`."""
    image = node.args[0]
    assert isinstance(image, Node)
    lengths = zip(image.meta["val"].shape[2:], node.meta["val"].shape[2:], strict=True)
    found = [_multiple(given, made) for given, made in lengths]
    return [float(scale) for scale in found if scale] if all(found) else None


def _multiple(given: Any, made: Any) -> int | None:
    ratio = (_expression(made) / _expression(given)).simplify()
    return int(ratio) if ratio.is_Integer and ratio >= 1 else None


def _expression(length: Any) -> Any:
    """Return a length as an expression of the input length. `int(2.0 * n)`, from whole scale factors, becomes 2 * n."""
    if not isinstance(length, torch.SymInt):
        return sympy.Integer(length)
    exact = length.node.expr.replace(lambda e: e.is_Float and float(e).is_integer(), sympy.Integer)
    exact = exact.replace(ToFloat, lambda whole: whole)
    return exact.replace(TruncToInt, lambda inner: inner if inner.is_integer else TruncToInt(inner))

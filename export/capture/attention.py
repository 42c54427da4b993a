"""Translations of attention and layer normalization for shapes that torch's exporter or onnxruntime refuses.

| torch | ONNX |
| --- | --- |
| attention of other than four axes, such as (batch, tokens, channels) | MatMul, Softmax, MatMul |
| `layer_norm` over no values | its input, which is empty |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir
import torch
from onnxscript.function_libs.torch_lib.ops import core, nn

from upconv.export.capture.interpolation.resize import Value, op
from upconv.runtime.errors import ExportError

aten = torch.ops.aten


def attention(
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Value = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    """Translate `aten.scaled_dot_product_attention` of tensors with at least two axes."""
    if len(query.shape) == 4:
        return nn.aten_scaled_dot_product_attention(
            query, key, value, attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa
        )
    if enable_gqa:
        raise ExportError("attention with enable_gqa needs tensors of four axes; repeat the heads of key and value before it")
    rank = len(query.shape)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scaled = op.Mul(query, op.CastLike(op.Constant(value_float=factor), query))
    scores = op.MatMul(scaled, op.Transpose(key, perm=[*range(rank - 2), rank - 1, rank - 2]))
    if is_causal:
        scores = _masked(scores, _causal(query, key))
    elif attn_mask is not None:
        scores = _masked(scores, attn_mask) if attn_mask.dtype == onnx_ir.DataType.BOOL else op.Add(scores, attn_mask)
    return op.MatMul(op.Softmax(scores, axis=-1), value)


def _masked(scores: Value, kept: Value) -> Value:
    return op.Where(kept, scores, op.CastLike(op.Constant(value_float=-math.inf), scores))


def _causal(query: Value, key: Value) -> Value:
    """Write the mask in which each token sees itself and those before it."""
    zero, one = op.Constant(value_int=0), op.Constant(value_int=1)
    axis = op.Constant(value_int=0)
    rows, columns = (op.Range(zero, op.Gather(op.Shape(x, start=-2), axis, axis=0), one) for x in (query, key))
    return op.GreaterOrEqual(op.Unsqueeze(rows, op.Constant(value_ints=[1])), columns)


def layer_norm(
    input: Value,
    normalized_shape: Sequence[int],
    weight: Value = None,
    bias: Value = None,
    eps: float = 1e-05,
    cudnn_enable: bool = True,
) -> Value:
    """Translate `aten.layer_norm`; onnxruntime refuses to normalize empty axes."""
    if 0 in normalized_shape:
        return op.Identity(input)
    return core.aten_layer_norm(input, normalized_shape, weight, bias, eps)


ATTENTION: dict[Callable[..., Any], Callable[..., Any]] = {
    aten.scaled_dot_product_attention.default: attention,
    aten.layer_norm.default: layer_norm,
}
"""Translations by torch operator, for `custom_translation_table` of `torch.onnx.export`."""

"""The base of rewrite rules, which state why they decline, and the stage that applies them to a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxscript import ir
from onnxscript.rewriter import pattern

from upconv.export.graphs import stripped
from upconv.export.stage import NOTHING, StageResult

Array = NDArray[Any]


class ExactRule(pattern.RewriteRuleClassBase, ABC):
    """A pattern of nodes, its replacement, and the conditions under which both compute the same function.

    A pattern does not match if a value between its nodes is used elsewhere, or is an output of the graph.
    """

    def __init__(self) -> None:
        super().__init__(type(self).__name__)
        self.declined: list[str] = []
        """The reasons of the matches that were declined."""

    @abstractmethod
    def obstacle(self, *args: Any, **values: Any) -> str | None:
        """Return why the replacement would not compute the same function, or not faster; `None` if it does."""

    def check(self, op: Any, *args: Any, **values: Any) -> pattern.MatchResult:
        """Return the result of a match for onnxscript, and record the reason if the rule declines."""
        reason = self.obstacle(**values)
        result = pattern.MatchResult()
        if reason is not None:
            self.declined.append(reason)
            result.fail(reason)
        return result


class Rewrite:
    """The stage that applies rules to the whole graph, each in order, until no rule matches."""

    def __init__(self, name: str, patterns: tuple[type[ExactRule], ...]) -> None:
        self.name = name
        self._patterns = patterns

    def __repr__(self) -> str:
        return self.name

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        """Return the rewritten model, or the same model and the reason."""
        rules = [kind() for kind in self._patterns]
        graph = ir.from_proto(model)
        count = 0
        while matches := sum(_applied(rule, graph) for rule in rules):
            count += matches
        declined = "; ".join(dict.fromkeys(reason for rule in rules for reason in rule.declined))
        if count == 0:
            return StageResult(model, False, f"declined: {declined}" if declined else NOTHING)
        ir.passes.common.RemoveUnusedNodesPass()(graph)
        rewritten = stripped(ir.to_proto(graph))
        return StageResult(rewritten, True, f"{count} places{f'; declined elsewhere: {declined}' if declined else ''}")


def constant(value: ir.Value | None) -> Array | None:
    """Return the tensor of a constant value.

    Returns `None` for a value that is fed or computed, or that an input may override.
    """
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return value.const_value.numpy()


def attribute(node: ir.Node, name: str, default: Any) -> Any:
    """Return the value of an attribute, or `default` if the node does not have it."""
    entry = node.attributes.get(name)
    return default if entry is None else entry.value


def bias_of(node: ir.Node, channels: int) -> Array | None:
    """Return the bias of a convolution, (channels,): zeros if it has none, `None` if it is not constant."""
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return np.zeros(channels, np.float32)
    return constant(node.inputs[2])


def producer(value: ir.Value) -> ir.Node:
    """Return the node whose output a matched value is."""
    node = value.producer()
    assert node is not None
    return node


def _applied(rule: ExactRule, graph: ir.Model) -> int:
    registered = pattern.RewriteRule(rule.pattern, rule.rewrite, rule.check, name=rule.name)
    return pattern.RewriteRuleSet([registered], commute=True).apply_to_model(graph)

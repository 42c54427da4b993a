"""The correspondence of values between two graphs."""

from __future__ import annotations

from difflib import SequenceMatcher

from onnx import GraphProto


def matched(a: GraphProto, b: GraphProto) -> dict[str, str]:
    """Return for the outputs of B's nodes those of A's: by order if the operators are alike, otherwise by name."""
    before, after = ([node.op_type for node in graph.node] for graph in (a, b))
    pairs: dict[str, str] = {}
    for start_a, start_b, length in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        for step in range(length):
            pairs |= dict(zip(b.node[start_b + step].output, a.node[start_a + step].output, strict=False))
    left = {name for node in a.node for name in node.output} - set(pairs.values())
    pairs |= {name: name for node in b.node for name in node.output if name not in pairs and name in left}
    return pairs

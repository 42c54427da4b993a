"""The pairing of the values of two graphs."""

from __future__ import annotations

from difflib import SequenceMatcher

from onnx import GraphProto


def matched(a: GraphProto, b: GraphProto) -> dict[str, str]:
    """Return the value of A for each output of B's nodes.

    Equal runs of operators are paired first, in order. The rest is paired by name. Values without a pair are left out.
    """
    before, after = ([node.op_type for node in graph.node] for graph in (a, b))
    pairs: dict[str, str] = {}
    for start_a, start_b, length in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        for step in range(length):
            pairs |= dict(zip(b.node[start_b + step].output, a.node[start_a + step].output, strict=False))
    left = {name for node in a.node for name in node.output} - set(pairs.values())
    pairs |= {name: name for node in b.node for name in node.output if name not in pairs and name in left}
    return pairs

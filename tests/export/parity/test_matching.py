from __future__ import annotations

from onnx import GraphProto, helper

from upconv.export.parity.matching import matched


def graph(*nodes: tuple[str, str]) -> GraphProto:
    return helper.make_graph([helper.make_node(kind, ["x"], [name]) for kind, name in nodes], "g", [], [])


def test_equal_operators_are_paired_in_order_whatever_their_names() -> None:
    assert matched(graph(("Conv", "a"), ("Relu", "b")), graph(("Conv", "c"), ("Relu", "d"))) == {"c": "a", "d": "b"}


def test_the_rest_is_paired_by_name_or_left_out() -> None:
    before = graph(("Conv", "a"), ("Relu", "b"), ("Add", "c"))
    after = graph(("Conv", "a2"), ("Elu", "b"), ("Pad", "new"), ("Add", "c2"))
    assert matched(before, after) == {"a2": "a", "b": "b", "c2": "c"}


def test_a_value_is_paired_only_once() -> None:
    assert matched(graph(("Conv", "a")), graph(("Conv", "b"), ("Elu", "a"))) == {"b": "a"}

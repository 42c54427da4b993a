from __future__ import annotations

import onnx
import pytest

from upconv.export.formats.gelu_pattern import with_gelu

FORMS = {
    "product first": "d = Div(x, root) e = Erf(d) a = Add(e, one) m = Mul(x, a) y = Mul(m, half)",
    "half first": "d = Mul(inverse, x) e = Erf(d) a = Add(one, e) h = Mul(half, x) y = Mul(h, a)",
    "half in the middle": "d = Mul(x, inverse) e = Erf(d) a = Add(e, one) m = Mul(a, half) y = Mul(m, x)",
}
OTHERS = {
    "another factor": "d = Div(x, one) e = Erf(d) a = Add(e, one) m = Mul(x, a) y = Mul(m, half)",
    "another sum": "d = Div(x, root) e = Erf(d) a = Add(e, half) m = Mul(x, a) y = Mul(m, half)",
    "another product": "d = Div(x, root) e = Erf(d) a = Add(e, one) m = Mul(d, a) y = Mul(m, half)",
    "not halved": "d = Div(x, root) e = Erf(d) a = Add(e, one) y = Mul(x, a)",
    "read elsewhere": "d = Div(x, root) e = Erf(d) a = Add(e, one) m = Mul(x, a) h = Mul(m, half) y = Add(h, a)",
    "alone": "y = Erf(x)",
}


def graph(body: str) -> onnx.GraphProto:
    constants = "float[1] root = {1.41421354}, float inverse = {0.707106769}, float one = {1.0}, float half = {0.5}"
    text = f"""<ir_version: 8, opset_import: ["": 18]> g (float[1,h] x) => (float[1,h] y) <{constants}> {{ {body} }}"""
    return onnx.parser.parse_model(text).graph


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_the_operators_of_gelu_become_one(body: str) -> None:
    (node,) = with_gelu(graph(body))
    assert (node.op_type, list(node.input), list(node.output)) == ("Gelu", ["x"], ["y"])


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_other_functions_keep_their_operators(body: str) -> None:
    before = graph(body)
    assert with_gelu(before) == list(before.node)


def test_a_value_that_is_also_read_elsewhere_stays() -> None:
    nodes = with_gelu(graph(FORMS["product first"].replace("y =", "g =") + " y = Add(g, d)"))
    assert [node.op_type for node in nodes] == ["Div", "Gelu", "Add"]

from __future__ import annotations

from upconv.service.trials.order import TrialOrder


def test_an_order_is_one_line_whatever_the_path_holds() -> None:
    order = TrialOrder("/a\nb \x1b[31m\udcff.onnx", "cpu", 128, 2**30, 60)
    assert order.line().count("\n") == 1
    assert TrialOrder.from_line(order.line()) == order

from __future__ import annotations

import pytest

from upconv.export.conformance.cases import GridCase
from upconv.export.conformance.causes import cause, causes
from upconv.export.conformance.results import CaseResult

PLAIN = GridCase("nn.Upsample", (("size", 3),), 2, "float64")


def test_messages_of_runtimes_are_shortened() -> None:
    lacking = "onnxruntime cannot open the graph: NOT_IMPLEMENTED : Could not find an implementation for Resize(18)"
    assert cause(CaseResult(PLAIN, "onnxruntime:all", "unsupported", reason=lacking)) == (
        "onnxruntime has no `Resize` for float64 on the processor"
    )
    refused = CaseResult(PLAIN, "onnxruntime:all", "refused", reason="torch cannot trace the layer: bad size")
    assert cause(refused) == "bad size"


def test_the_cause_with_the_most_cases_comes_first_and_equal_results_have_none() -> None:
    other = GridCase("nn.Upsample", (("size", 4),), 2)
    rare = CaseResult(PLAIN, "a", "differs", reason="rare")
    often = [CaseResult(case, name, "differs", reason="often") for case in (PLAIN, other) for name in ("a", "b")]
    found = causes([rare, *often, CaseResult(PLAIN, "c", "equal")])
    assert [(c.sentence, c.cases, c.runtimes) for c in found] == [("often", 2, ("a", "b")), ("rare", 1, ("a",))]


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (
            "Transpose at Transpose refuses what it gets (Only Conv2d or Conv1d are supported)",
            "`Transpose`: Only Conv2d or Conv1d are supported",
        ),
        (
            "Cast at a refuses what it gets (Program Cast requires f16 but the device does not support it)",
            "WebGPU: this device, a software driver, has no float16",
        ),
        (
            "Provider type for Resize node with name 'up' is not set.",
            "onnxruntime with WebGPU finds no place for `Resize` in float64",
        ),
        (
            "Failed to find kernel for com.microsoft.FusedMatMul(1) (node:'a/Fusion/' ep:'CPUExecutionProvider').",
            "onnxruntime 1.20 makes a `FusedMatMul` of its own, and has no kernel for it",
        ),
        ("the operator Shape node_Shape_3 cannot be converted to ncnn", "`Shape` cannot be converted to ncnn"),
        ("the operator Resize up cannot be converted to ncnn: it smooths", "`Resize` cannot be converted to ncnn: it smooths"),
    ],
)
def test_messages_that_name_nodes_become_one_cause(reason: str, sentence: str) -> None:
    assert cause(CaseResult(PLAIN, "a", "unsupported", reason=reason)) == sentence

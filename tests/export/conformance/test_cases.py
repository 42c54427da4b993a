from __future__ import annotations

import torch

from upconv.export.conformance.cases import Branches, GridCase, inputs

LAYER = (("in_channels", 4), ("out_channels", 4), ("kernel_size", 2), ("groups", 2))


def test_a_case_is_written_as_its_call() -> None:
    case = GridCase("F.interpolate", (("scale_factor", 2), ("mode", "bilinear")), 2)
    assert str(case) == "F.interpolate(scale_factor=2, mode='bilinear') on NCHW float32"
    assert (case["mode"], case["antialias"]) == ("bilinear", None)


def test_variants_name_the_mode_or_the_groups() -> None:
    assert GridCase("nn.UpsamplingBilinear2d", (("size", 3),), 2).variant == "bilinear, align_corners"
    assert GridCase("nn.Upsample", (("size", 3),), 2).variant == "nearest"
    assert GridCase("nn.ConvTranspose2d", LAYER, 2, batched=False).variant == "grouped, unbatched"


def test_weights_are_the_same_each_time() -> None:
    a, b = (GridCase("nn.ConvTranspose2d", LAYER, 2).module() for _ in range(2))
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_inputs_have_the_type_and_the_batch_of_the_case() -> None:
    assert [x.shape for x in inputs(1, "float16", True)] == [(2, 4, 10), (1, 4, 7), (1, 4, 50)]
    assert {(x.ndim, str(x.dtype)) for x in inputs(3, "float64", False)} == {(4, "float64")}


def test_branches_return_one_output_per_layer() -> None:
    cases = [GridCase("F.interpolate", (("scale_factor", scale),), 1) for scale in (2, 3)]
    outputs = Branches([case.module() for case in cases])(torch.zeros(1, 4, 5))
    assert [output.shape[2] for output in outputs] == [10, 15]

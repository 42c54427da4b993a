from __future__ import annotations

from dataclasses import replace

from upconv.export.steps import ExportDraft
from upconv.export.steps.contract import contract_of
from upconv.export.verdict import Verdict
from upconv.runtime.contract import (
    Halo,
    HaloDeviation,
    ParityEvidence,
    Pixels,
    Provenance,
    Quality,
    SessionOptions,
    SizeLaw,
    Tuning,
)

HALO = Halo(top=1, bottom=2, left=3, right=4)
TABLE = (HaloDeviation(halo_px=10, steps=0.5, share=0.1),)
QUALITY = Quality(psnr_db=50, samples=3)
TUNING = Tuning(shape=(1, 3, 8, 8), machine="a machine", runtime="a runtime")
VERDICT = Verdict("b", "1", "all", ((1, 3, 8, 8),), 1e-7, 1e-7, 4.0)


def test_everything_that_the_steps_add_is_stated(upscaler: ExportDraft) -> None:
    contract = contract_of(
        replace(
            upscaler,
            halo=HALO,
            halo_deviation=TABLE,
            pixels=Pixels(low=-1),
            output_pixels=Pixels(high=2),
            precision="int8",
            rewrites=("a", "b"),
            session=SessionOptions(arena=False),
            tuning=TUNING,
            verdicts=(VERDICT,),
            quality=QUALITY,
            tiling_max_abs=0.25,
        )
    )
    assert (contract.name, contract.task, contract.opset, contract.precision) == ("m", "upscale", 18, "int8")
    assert contract.height == contract.width == SizeLaw(scale=2)
    assert (contract.halo, contract.halo_deviation) == (HALO, TABLE)
    assert (contract.input, contract.output) == (Pixels(low=-1), Pixels(high=2))
    assert contract.rewrites == ("a", "b")
    assert (contract.session, contract.tuning) == (SessionOptions(arena=False), TUNING)
    assert (contract.evidence.quality, contract.evidence.tiling_max_abs) == (QUALITY, 0.25)
    assert [p.model_dump() for p in contract.evidence.parity] == [
        ParityEvidence(
            backend="b", version="1", level="all", shapes=((1, 3, 8, 8),), max_abs=1e-7, noise_floor=1e-7, factor=4.0
        ).model_dump()
    ]
    assert contract.provenance == Provenance(source="a test")


def test_without_pixels_the_model_takes_tensors(doubler: ExportDraft) -> None:
    assert contract_of(doubler).task == "decode"

"""Export the bundled `.onnx` files again, or those of other catalogue models: `python scripts/export_catalogue.py [NAME ...]`.

Each file is tuned on this machine. An int8 form is written too if it passes its quality gate and is faster on this machine. With
`--only-int8`, the existing int8 forms are written again, even if they are not faster here: a processor with VNNI may be.
"""

from __future__ import annotations

import sys

from upconv.export import to_onnx
from upconv.export.precision import PrecisionOptions
from upconv.export.tuner import Tuner
from upconv.models import CATALOGUE, catalogue

TUNE_S = 30.0


def main(names: list[str]) -> None:
    for name in names or [name for name, entry in CATALOGUE.items() if entry.artifact.exists()]:
        entry = catalogue.entry(name)
        print(to_onnx(catalogue.source(name), out=entry.artifact, tuner=Tuner(TUNE_S)).summary, flush=True)
        if entry.weights is not None and entry.task == "upscale":
            write_int8(name, only_if_faster=True)


def write_int8(name: str, *, only_if_faster: bool) -> None:
    reduction = PrecisionOptions("int8", only_if_faster=only_if_faster)
    reduced = to_onnx(catalogue.source(name), reduction=reduction, tuner=Tuner(TUNE_S))
    if reduced.contract.precision == "int8":
        print(reduced.save(catalogue.entry(name).reduced).summary, reduced.contract.evidence.quality, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--only-int8"]:
        for each in sys.argv[2:] or [name for name, entry in CATALOGUE.items() if entry.reduced.exists()]:
            write_int8(each, only_if_faster=False)
    else:
        main(sys.argv[1:])

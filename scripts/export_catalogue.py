"""Export the bundled `.onnx` files again, or those of other catalogue models: `python scripts/export_catalogue.py [NAME ...]`.

Each file is tuned on this machine. An int8 form is written too if it passes its quality gate and is faster on this machine.
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
        if entry.weights is None or entry.task != "upscale":
            continue
        reduction = PrecisionOptions("int8", only_if_faster=True)
        reduced = to_onnx(catalogue.source(name), reduction=reduction, tuner=Tuner(TUNE_S))
        if reduced.contract.precision == "int8":
            print(reduced.save(entry.reduced).summary, reduced.contract.evidence.quality, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

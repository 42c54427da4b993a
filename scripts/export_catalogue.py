"""Write every catalogue model's `.onnx` file anew: `python scripts/export_catalogue.py [NAME ...]`."""

from __future__ import annotations

import sys

from upconv.export import export
from upconv.models import CATALOGUE, catalogue


def main(names: list[str]) -> None:
    for name in names or list(CATALOGUE):
        print(export(catalogue.source(name), catalogue.entry(name).artifact).summary)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Write the bundled `.onnx` files anew, or those of other catalogue models: `python scripts/export_catalogue.py [NAME ...]`."""

from __future__ import annotations

import sys

from upconv.export import export
from upconv.models import CATALOGUE, catalogue


def main(names: list[str]) -> None:
    for name in names or [name for name, entry in CATALOGUE.items() if entry.artifact.exists()]:
        print(export(catalogue.source(name), out=catalogue.entry(name).artifact).summary)


if __name__ == "__main__":
    main(sys.argv[1:])

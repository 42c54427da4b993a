"""Run the notebooks of `examples/` in Jupyter's kernel, and store what it shows. `scripts/notebook` installs the packages for it."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NOTEBOOKS = tuple(sorted(ROOT.glob("examples/notebook/*.ipynb")))
RICH = ("text/html", "image/png")
"""The forms of a result that are kept, the best first, before its text."""


def main(words: list[str]) -> None:
    for path in NOTEBOOKS:
        found = executed(path)
        if "--check" not in words:
            path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        elif kinds(found) != kinds(stored := read(path)):
            raise SystemExit(f"{path.name} shows {kinds(found)} instead of {kinds(stored)}; run scripts/notebook")
        print(path.relative_to(ROOT))


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def executed(path: Path) -> dict[str, Any]:
    """Return a notebook with the results of its cells. It runs in a copy of its folder, so the files that it writes do not stay."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        place = laid_out(path, Path(folder))
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": place}}).execute()
    return plain(json.loads(nbformat.writes(notebook)))


def laid_out(path: Path, folder: Path) -> Path:
    """Return a folder that is to the pictures of the tests as the folder of the notebook is."""
    place = folder / path.parent.relative_to(ROOT)
    place.mkdir(parents=True)
    (folder / "tests").symlink_to(ROOT / "tests")
    return place


def plain(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook without what differs from run to run and from machine to machine."""
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        for output in cell.get("outputs", ()):
            if "data" in output:
                kept = next((kind for kind in RICH if kind in output["data"]), "text/plain")
                output["data"] = {kept: output["data"][kept]}
    text = json.dumps(notebook)
    return dict(json.loads(text.replace(f"{ROOT}[", ".[")))


def kinds(notebook: dict[str, Any]) -> list[list[str]]:
    """Return the forms of the results of each cell."""
    return [[form for output in cell.get("outputs", ()) for form in forms(output)] for cell in notebook["cells"]]


def forms(output: dict[str, Any]) -> list[str]:
    return [str(output.get("name") or output["output_type"])] if "data" not in output else sorted(output["data"])


if __name__ == "__main__":
    main(sys.argv[1:])

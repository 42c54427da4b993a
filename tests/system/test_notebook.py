"""The notebook of `examples/`: its cells run in order, and what it stores is what they show. `scripts/notebook` runs it in Jupyter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import notebook

PATH = notebook.ROOT / "examples/notebook/export.ipynb"
LARGEST_BYTES = 300_000
CELL_BY_CELL = """
import ast, json, sys
namespace = {}
for cell in json.load(sys.stdin):
    tree = ast.parse(cell)
    last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "cell", "exec"), namespace)
    value = eval(compile(last, "cell", "eval"), namespace)
    shown = [form for form in ("_repr_html_", "_repr_png_") if hasattr(value, form) and getattr(value, form)()]
    print(*shown or ["text"], file=sys.stderr)
"""
"""Runs cells whose last statement is an expression, and says in which forms Jupyter would show it."""


def cells() -> list[str]:
    return ["".join(cell["source"]) for cell in notebook.read(PATH)["cells"] if cell["cell_type"] == "code"]


def test_it_stores_what_its_cells_show() -> None:
    stored = notebook.read(PATH)
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert notebook.kinds({"cells": code}) == [["stdout"], ["text/html"], ["text/html"], ["image/png"]]
    tables = ["".join(output["data"]["text/html"]) for cell in code[1:3] for output in cell["outputs"]]
    assert "<caption>my-decoder</caption>" in tables[0]
    assert "<caption>the network and my-decoder.onnx: equal, " in tables[1]


def test_it_is_small_and_names_no_machine() -> None:
    text = PATH.read_text()
    assert len(text) < LARGEST_BYTES
    for place in (str(notebook.ROOT), str(Path.home()), "/tmp/", "file:"):
        assert place not in text, place
    assert notebook.plain(notebook.read(PATH)) == notebook.read(PATH)


def test_its_cells_run_in_order(tmp_path: Path) -> None:
    words = [sys.executable, "-W", "error", "-c", CELL_BY_CELL]
    place, text = notebook.laid_out(PATH, tmp_path), json.dumps(cells())
    done = subprocess.run(words, cwd=place, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.split() == ["text", "_repr_html_", "_repr_html_", "_repr_png_"]
    assert done.stdout.startswith("bilinear enlargement ")
    assert (place / "my-decoder.onnx").is_file()


@pytest.mark.parametrize(
    ("data", "kept"),
    [({"text/plain": "7"}, {"text/plain": "7"}), ({"text/plain": "", "image/png": "a", "image/jpeg": "b"}, {"image/png": "a"})],
)
def test_only_the_best_form_of_a_result_is_kept(data: dict[str, str], kept: dict[str, str]) -> None:
    cell = {"metadata": {"execution": 1}, "outputs": [{"output_type": "execute_result", "data": data}]}
    found = notebook.plain({"metadata": {"path": 1}, "cells": [cell]})["cells"]
    assert found == [{"metadata": {}, "outputs": [{"output_type": "execute_result", "data": kept}]}]

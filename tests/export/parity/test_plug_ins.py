from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from upconv.export.parity.comparison import compare
from upconv.export.parity.plug_ins import plug_ins
from upconv.export.parity.subject import from_file

MODULE = """
import onnxruntime

class Session:
    def __init__(self, model):
        self.session = onnxruntime.InferenceSession(model.SerializeToString())
        self.name, self.version, self.level = "mine", "7", "-"
    def run(self, inputs):
        names = [value.name for value in self.session.get_inputs()]
        return self.session.run(None, dict(zip(names, inputs)))

class Coarse(Session):
    rounds_to = "fp16"

class Bare(Session):
    def __init__(self, model):
        super().__init__(model)
        del self.name, self.version, self.level

def absent(model):
    raise AssertionError("never opened")
absent.missing = lambda: "no card of mine; buy one"

def broken(model):
    raise RuntimeError("the driver is\\n too old")

class Failing(Session):
    def run(self, inputs):
        raise KeyError("lost")

class Silent(Session):
    def run(self, inputs):
        return None
"""

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a package with entry points, such as `mine = my_backend:Session`."""

    def put(entries: str) -> None:
        (tmp_path / "my_backend.py").write_text(MODULE)
        information = tmp_path / "my_backend-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-backend\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[upconv.backends]\n{entries}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "my_backend", raising=False)

    return put


def test_a_plug_in_is_compared_like_a_built_in_backend(install: Install, file: Path) -> None:
    install("mine = my_backend:Session")
    comparison = compare(from_file(file), backends=["mine", "onnxruntime:all"])
    assert comparison.equal
    rows = {row.name: row for row in comparison.rows}
    assert set(rows) == {"mine", "onnxruntime:all"}
    assert (rows["mine"].backend, rows["mine"].version) == ("mine", "7")


def test_a_plug_in_states_its_precision_or_nothing(install: Install, file: Path) -> None:
    install("coarse = my_backend:Coarse\nbare = my_backend:Bare")
    bare, coarse = compare(from_file(file), backends=["coarse", "bare"]).rows
    assert (coarse.precision, coarse.status) == ("fp16", "equal")
    assert (bare.backend, bare.version, bare.level) == ("bare", "unknown", "-")


@pytest.mark.parametrize(
    ("entry", "status", "said"),
    [
        ("my_backend:absent", "missing", "no card of mine; buy one"),
        ("my_backend:nothing", "missing", "the plug-in cannot be loaded: "),
        ("no_such_module:x", "missing", "update or remove the package my-backend"),
        ("my_backend:broken", "different", "mine cannot open the graph: the driver is"),
        ("my_backend:Failing", "different", "mine cannot run the graph: 'lost'"),
        ("my_backend:Silent", "different", "mine returns no arrays"),
    ],
)
def test_a_plug_in_that_fails_is_a_row_that_says_so(install: Install, file: Path, entry: str, status: str, said: str) -> None:
    install(f"mine = {entry}")
    row = compare(from_file(file), backends=["mine", "onnxruntime:all"]).rows[-1]
    assert (row.name, row.status) == ("mine", status)
    assert said in row.said


def test_a_plug_in_with_the_name_of_a_backend_is_named_after_its_package(install: Install) -> None:
    install("taken = my_backend:Session\nfree = my_backend:Session")
    assert [backend.name for backend in plug_ins(["taken"])] == ["free", "my-backend:taken"]

from __future__ import annotations

import os
import pydoc
import re
import subprocess
import sys
from importlib import import_module

import pytest

import upconv
import upconv.export
from upconv.runtime.install_hints import install_command


def test_onnxruntime_tells_nobody() -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/proc/nowhere"}  # not CI, where it never tells
    program = "import os, upconv, onnxruntime; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert "telemetry" not in done.stderr, "which it mentions where it finds no place to remember the device"


def test_the_verb_is_the_same_in_both_places() -> None:
    assert upconv.to_onnx is upconv.export.to_onnx
    assert not callable(upconv.export)


def test_dir_lists_only_public_names() -> None:
    packages = ["cluster", "export", "models", "runtime", "service"]
    assert dir(upconv) == sorted([*upconv.__all__, *packages])
    assert dir(upconv.export) == sorted(upconv.export.__all__)
    for name in dir(upconv):
        assert getattr(upconv, name) is not None


@pytest.mark.parametrize("package", ["upconv", "upconv.export", "upconv.models", "upconv.runtime", "upconv.service"])
def test_help_shows_no_addresses(package: str) -> None:
    module = import_module(package)
    values = [getattr(module, name) for name in module.__all__]
    for public in [module, *filter(callable, values)]:
        shown = pydoc.render_doc(public, renderer=pydoc.TextDoc())
        # The other lines are pydantic's: the table of a model's fields, and the many options of its settings.
        ours = [line for line in shown.splitlines() if "FieldInfo(" not in line and "_env_prefix" not in line]
        assert not re.search(r"0x[0-9a-f]{6,}", "\n".join(ours)), public


@pytest.mark.parametrize("package", ["upconv", "upconv.export", "upconv.models", "upconv.runtime", "upconv.service"])
def test_dir_lists_every_public_name(package: str) -> None:
    module = import_module(package)
    assert set(module.__all__) <= set(dir(module))


def test_the_help_of_training_needs_no_package() -> None:
    program = """
import runpy, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("PIL", "torch", "skimage", "safetensors"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = ["training", *sys.argv[1:]]
runpy.run_module("upconv.models.training", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, "--validation" in done.stdout) == (0, True), done.stderr
    words = ["upsample-s-x2", "--data", ".", "--validation", ".", "--out", "."]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: training needs torch, which is not installed; {install_command('train')}\n"

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from upconv.runtime.install_hints import install_command
from upconv.runtime.provider_table import CHOICES, ENTRIES, TABLE, Provider, ProviderEntry

CPU = install_command("cpu")


def test_every_name_that_can_be_asked_for_has_a_row() -> None:
    assert CHOICES == get_args(Provider) == (*TABLE, "auto")
    assert len({entry.registered for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_row_says_where_a_provider_comes_from_and_what_it_needs(entry: ProviderEntry) -> None:
    assert re.fullmatch(r"[A-Z]\w+ExecutionProvider", entry.registered)
    assert entry.wheel or entry.plug_in
    assert entry.needs
    assert set(entry.systems) <= {"linux", "win32", "darwin"}
    assert len(entry.commands()) == bool(entry.wheel) + bool(entry.plug_in)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_accelerator_takes_batches_and_a_processor_tiles(entry: ProviderEntry) -> None:
    assert (entry.batch > 1) == entry.accelerator == (entry.workers is not None)
    assert entry.accelerator == (entry.name not in ("cpu", "openvino"))


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("cuda", "use_tf32", 0),
        ("cuda", "cudnn_conv_algo_search", "HEURISTIC"),
        ("tensorrt", "trt_fp16_enable", 0),
        ("tensorrt", "trt_int8_enable", 0),
        ("openvino", "precision", "FP32"),
        ("coreml", "MLComputeUnits", "CPUAndGPU"),
        ("migraphx", "migraphx_fp16_enable", "0"),
    ],
)
def test_float32_stays_float32(name: str, option: str, value: object) -> None:
    assert TABLE[name].options[option] == value


@pytest.mark.parametrize(
    ("name", "build", "commands"),
    [
        ("cpu", "onnxruntime", (CPU,)),
        ("cpu", "onnxruntime-gpu", (f"pip uninstall -y onnxruntime-gpu && {CPU}",)),
        ("mlx", "onnxruntime", ("pip install onnxruntime-ep-mlx",)),
        (
            "webgpu",
            "onnxruntime",
            ("pip install onnxruntime-ep-webgpu", f"pip uninstall -y onnxruntime && {install_command('webgpu')}"),
        ),
        (
            "openvino",
            "onnxruntime-webgpu",
            ("pip install onnxruntime-ep-openvino", "pip uninstall -y onnxruntime-webgpu && pip install onnxruntime-openvino"),
        ),
    ],
)
def test_a_build_replaces_onnxruntime_and_a_plug_in_stands_beside_it(name: str, build: str, commands: tuple[str, ...]) -> None:
    assert TABLE[name].commands(build) == commands


def test_the_extras_install_the_wheels() -> None:
    extras = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())["project"]["optional-dependencies"]
    for entry in ENTRIES:
        if entry.extra:
            assert re.fullmatch(rf"{entry.wheel}>=[\d.]+", extras[entry.extra][0])

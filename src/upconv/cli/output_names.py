"""The names of model files that a command writes."""

from __future__ import annotations

from pathlib import Path

from upconv.runtime.errors import ParameterError

SUFFIXES = {"onnx": (".onnx",), "ncnn": (".param", ".bin"), "openvino": (".xml", ".bin")}
"""The suffixes of the files of each format."""
_OTHERS = frozenset((".pb", ".pt", ".pt2", ".pth", ".ckpt", ".keras", ".h5", ".safetensors", ".tflite", ".mlmodel", ".engine"))
"""Suffixes of formats that no command writes."""


def check_model_name(path: Path, format: str = "onnx") -> None:
    """Raise `ParameterError` if a file of `format` cannot be written to `path`, or has a name that states another format.

    The name of ncnn's and OpenVINO's files may have no suffix, since each of their files has its own.
    """
    if path.is_dir():
        raise ParameterError(f"--output {path} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise ParameterError(f"there is no folder {path.parent} to write {path.name} into; create it first")
    suffix, own = path.suffix.lower(), SUFFIXES[format]
    if suffix in own:
        return
    foreign = _OTHERS.union(*SUFFIXES.values())
    if format == "onnx" or suffix in foreign:
        raise ParameterError(f"--output {path.name} must end in {' or '.join(own)}; {_advice(path, format)}")


def _advice(path: Path, format: str) -> str:
    fitting = [f"--to {name}" for name, suffixes in SUFFIXES.items() if path.suffix.lower() in suffixes and name != format]
    usual = f"give {path.with_suffix('').name}{'.onnx' if format == 'onnx' else ''}"
    return f"{usual}, or {' or '.join(fitting)}" if fitting and fitting != ["--to onnx"] else usual

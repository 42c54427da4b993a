"""The model repository of NVIDIA Triton: a tensor model, and a picture model that calls it tile by tile.

NAME/config.pbtxt            the tensor model, on the backend onnxruntime
NAME/1/model.onnx
NAME-picture/config.pbtxt    bytes in, bytes out, on the Python backend
NAME-picture/1/model.py
NAME-picture/1/contract.json
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upconv.export.repositories.message_text import EnumName, Field, message_text, table
from upconv.export.repositories.repository_format import RepositoryOptions
from upconv.export.repositories.served_file import ServedFile, TensorSpec
from upconv.runtime.contract import NoHalo
from upconv.runtime.errors import ExportError
from upconv.runtime.provider_table import TABLE

QUEUE_DELAY_US = 1000
"""Microseconds that a tile waits for others of its shape: a tile takes tens of times as long."""

MAX_TILES_WAITING = 1024
"""Most tiles that wait; further ones are refused. The picture models send at most `PICTURES_AT_ONCE * TILES_AT_ONCE`."""

MAX_PICTURES_WAITING = 64
"""Most pictures that wait; further ones are refused."""

PICTURES_AT_ONCE = 4
"""Processes of the picture model, each of which works on one picture."""

TILES_AT_ONCE = 4
"""Tiles of a picture that the server has at once, so that batches form even from one picture."""

MAX_PIXELS, MAX_OUTPUT_PIXELS = 25_000_000, 100_000_000
"""Largest picture and largest result in pixels, as `upconv serve` has them."""

MODEL_PY = '''"""The picture model of {name}. The Python of Triton's Python backend needs upconv with its extra `cpu`."""

from upconv.runtime.triton_backend import TritonPythonModel

__all__ = ["TritonPythonModel"]
'''

_TYPES = {"FLOAT": "TYPE_FP32", "FLOAT16": "TYPE_FP16", "DOUBLE": "TYPE_FP64", "BOOL": "TYPE_BOOL"}


class TritonRepository:
    """The folder that Triton reads with `--model-repository`."""

    name = "triton"

    def files(self, model: ServedFile, options: RepositoryOptions, repository: Path) -> Mapping[str, bytes]:
        """Return the files of the tensor model and, if the model upscales, of the picture model."""
        files = {
            f"{model.name}/1/model.onnx": model.content,
            f"{model.name}/config.pbtxt": _commented(model, tensor_model(model, options)),
        }
        if model.upscales:
            picture = f"{model.name}-picture"
            files[f"{picture}/1/contract.json"] = model.contract.to_json().encode()
            files[f"{picture}/1/model.py"] = MODEL_PY.format(name=model.name).encode()
            files[f"{picture}/config.pbtxt"] = _commented(model, picture_model(model))
        return files


def tensor_model(model: ServedFile, options: RepositoryOptions) -> dict[str, Field]:
    """Return the configuration of the model that computes tensors.

    Raises `ExportError` if TensorRT is asked for a model in int8, whose function it would change.
    """
    batch = model.most_batch
    fields: dict[str, Field] = {
        "name": model.name,
        "backend": "onnxruntime",
        "max_batch_size": batch,
        "input": [_tensor(value, model) for value in model.inputs],
        "output": [_tensor(value, model) for value in model.outputs],
        "instance_group": [{"count": 1, "kind": EnumName("KIND_AUTO")}],
        "optimization": _optimization(model, options),
        "parameters": table({**_session(model), "sha256": {"string_value": model.sha256}}),
    }
    if batch:
        policy: Field = {"max_queue_size": MAX_TILES_WAITING}
        fields["dynamic_batching"] = {"max_queue_delay_microseconds": QUEUE_DELAY_US, "default_queue_policy": policy}
    if warm_up := _warm_up(model):
        fields["model_warmup"] = warm_up
    return fields


def picture_model(model: ServedFile) -> dict[str, Field]:
    """Return the configuration of the model that takes and returns image files."""
    stated = {
        "tensor_model": model.name,
        "tensor_input": model.inputs[0].name,
        "tensor_output": model.outputs[0].name,
        "sha256": model.sha256,
        # One tile is the whole picture if the model needs it at once.
        "tile_px": str(model.tile_px),
        "tiles_at_once": str(TILES_AT_ONCE),
        "max_pixels": str(MAX_PIXELS),
        "max_output_pixels": str(MAX_OUTPUT_PIXELS),
    }
    file: dict[str, Field] = {"data_type": EnumName("TYPE_STRING"), "dims": [1]}
    return {
        "name": f"{model.name}-picture",
        "backend": "python",
        "max_batch_size": 1,
        "input": [{"name": "image", **file}],
        "output": [{"name": "result", **file}, {"name": "report", **file}],
        "instance_group": [{"count": PICTURES_AT_ONCE, "kind": EnumName("KIND_CPU")}],
        "dynamic_batching": {"default_queue_policy": {"max_queue_size": MAX_PICTURES_WAITING}},
        "parameters": table({name: {"string_value": value} for name, value in stated.items()}),
    }


def _commented(model: ServedFile, fields: Mapping[str, Field]) -> bytes:
    head = f"# Written by upconv export --to triton; docs/triton.md explains it. SHA-256 of the model: {model.sha256}\n"
    return (head + message_text(fields)).encode()


def _tensor(value: TensorSpec, model: ServedFile) -> dict[str, Field]:
    kind = _TYPES.get(value.kind, f"TYPE_{value.kind}")
    lengths = value.shape[1:] if model.batched else value.shape
    return {"name": value.name, "data_type": EnumName(kind), "dims": [-1 if n is None else n for n in lengths]}


def _session(model: ServedFile) -> dict[str, Field]:
    """Return onnxruntime's settings, which tuning may have chosen."""
    chosen = model.contract.session
    return {
        "enable_mem_arena": {"string_value": str(int(chosen.arena))},
        "enable_mem_pattern": {"string_value": str(int(chosen.memory_pattern))},
    }


def _optimization(model: ServedFile, options: RepositoryOptions) -> dict[str, Field]:
    """Return the accelerators of cards, with options that keep the function; Triton uses them only if there is a card."""
    cuda: Mapping[str, Any] = TABLE["cuda"].options
    accelerators: list[Field] = [{"name": "cuda", "parameters": table({name: str(value) for name, value in cuda.items()})}]
    if options.tensorrt:
        accelerators.insert(0, {"name": "tensorrt", "parameters": table(_tensorrt(model))})
    fields: dict[str, Field] = {"execution_accelerators": {"gpu_execution_accelerator": accelerators}}
    if not model.contract.session.blocked:
        fields["graph"] = {"level": 1}
    return fields


def _tensorrt(model: ServedFile) -> dict[str, Field]:
    """Return TensorRT's options: float32, unless the export has judged the model in float16, and one profile for all tiles."""
    if model.contract.precision == "int8":
        raise ExportError(f"{model.name} is in int8, which TensorRT rounds in another way; give the fp32 or fp16 file")
    fields: dict[str, Field] = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": f"/tmp/{model.name}-tensorrt"}  # noqa: S108
    if model.contract.precision == "fp16":
        fields["precision_mode"] = "FP16"
    shape, laws = model.tile_shape, (model.contract.height, model.contract.width)
    if shape is not None and model.upscales:
        taken = model.inputs[0]
        least = [law.fitted(1) if law else 1 for law in laws]
        for name, batch, sides in (("min", 1, least), ("opt", 1, shape), ("max", max(1, model.most_batch), shape)):
            lengths = "x".join(map(str, (batch, taken.shape[1], *sides)))
            fields[f"trt_profile_{name}_shapes"] = f"{taken.name}:{lengths}"
    return fields


def _warm_up(model: ServedFile) -> list[Field]:
    """Return the tensors that are computed before the model is ready: a tile alone, and the largest batch of tiles."""
    shape = model.tile_shape
    if shape is None or len(model.inputs) != 1:
        return []
    taken = model.inputs[0]
    lengths = [*(taken.shape[1:-2] if model.batched else taken.shape[:-2]), *shape]
    if None in lengths:
        return []
    several = model.most_batch > 1 and not isinstance(model.contract.halo, NoHalo)
    return [
        {
            "name": f"{batch} of {shape[0]}x{shape[1]}",
            "batch_size": batch,
            "inputs": table(
                {
                    taken.name: {
                        "data_type": EnumName(_TYPES.get(taken.kind, f"TYPE_{taken.kind}")),
                        "dims": [int(length or 0) for length in lengths],
                        "random_data": True,
                    }
                }
            ),
        }
        for batch in ((1, model.most_batch) if several else (min(1, model.most_batch),))
    ]
